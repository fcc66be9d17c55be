"""A clock that is wrong for the program alone: by a small library that is loaded before the system's."""

import shutil
import subprocess

# What a clock says is what the system says, and so many seconds more as stand in a file.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
    char text[32] = {0};
    int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY);
    if (file < 0) return 0;
    long count = read(file, text, sizeof text - 1);
    close(file);
    return count > 0 ? atol(text) : 0;
}
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(which, now);
    if (answer == 0 && which == CLOCK_REALTIME) now->tv_sec += offset();
    return answer;
}
"""


def build(folder):
    """The library, or None where there is no compiler."""
    compiler = shutil.which("cc")
    if not compiler:
        return None
    (folder / "clock.c").write_text(SHIM)
    library = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "clock.c", "-ldl"], check=True)
    return library


class WrongClock:
    """By how many seconds the program's clock is wrong; to be changed at any time."""

    def __init__(self, library, file):
        self._file = file
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(file)}
        self.set(0)

    def set(self, seconds):
        """The whole file at once: the program reads it at any moment."""
        other = self._file.with_suffix(".new")
        other.write_text(str(seconds))
        other.rename(self._file)
