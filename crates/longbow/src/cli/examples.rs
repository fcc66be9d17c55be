//! The examples at the end of each help text.

pub(super) const LONGBOW: &str = "\
Examples:
  longbow demo
  longbow sync s3://photos s3://photos-copy --destination-region eu-west-1
  longbow sync ./site s3://site-bucket/www --delete --dry-run
  longbow verify s3://photos s3://photos-copy";

pub(super) const SYNC: &str = "\
Examples:
  Copy a bucket to another region; again later for what changed since:
    longbow sync s3://photos s3://photos-copy --destination-region eu-west-1
  From another S3-compatible store, each side with its own credentials:
    export LONGBOW_SOURCE__ACCESS_KEY_ID=… LONGBOW_SOURCE__SECRET_ACCESS_KEY=…
    longbow sync s3://old/data s3://new/data --source-endpoint-url https://minio.example.org:9000
  See what would happen, then keep a bucket equal to a folder:
    longbow sync ./site s3://site-bucket/www --delete --dry-run
    longbow sync ./site s3://site-bucket/www --delete
  Some keys only, with a line for each object written to a file:
    longbow sync s3://logs ./logs --include '2024/*.gz' --exclude '*/tmp/*' --report report.jsonl
  Stopped by Ctrl-C, kill or a crash? The same command goes on where it stopped.";

pub(super) const VERIFY: &str = "\
Examples:
  Compare by what listings, stored checksums and the state of earlier runs can prove:
    longbow verify s3://photos s3://photos-copy
  Read both sides whole:
    longbow verify s3://photos /mnt/photos --read
  For a script, with a line for each object:
    longbow verify s3://photos s3://photos-copy --json --report differences.jsonl; echo \"exit code $?\"";

pub(super) const JOBSENDER: &str = "\
Examples:
  From cron; refuses, with exit code 4, while the last batch is unfinished:
    longbow jobsender s3://photos s3://photos-copy --queue-url jobs --table longbow
  Add to what waits, and write down what was decided for each object:
    longbow jobsender s3://photos s3://photos-copy --queue-url jobs --table longbow --when-busy append --report jobs.jsonl";

pub(super) const WORKER: &str = "\
Examples:
  longbow worker s3://photos s3://photos-copy --queue-url jobs --table longbow
  Until everything is done, then end:
    longbow worker s3://photos s3://photos-copy --queue-url jobs --table longbow --exit-when-empty
  Queue and table of an emulator:
    AWS_ENDPOINT_URL=http://127.0.0.1:4566 longbow worker s3://a s3://b --queue-url jobs --table longbow";

pub(super) const STATE: &str = "\
Examples:
  longbow state create-table --table longbow
  longbow state schema";

pub(super) const STATUS: &str = "\
Examples:
  longbow status s3://photos s3://photos-copy --queue-url jobs --table longbow
  Every minute, until it is stopped; queue and plans only, which costs nothing at any size:
    longbow status s3://photos s3://photos-copy --queue-url jobs --table longbow --quick --watch 60
  For a script:
    longbow status s3://photos s3://photos-copy --queue-url jobs --table longbow --json";

pub(super) const JOBS: &str = "\
Examples:
  longbow jobs show 2024/cat.jpg s3://photos s3://photos-copy --table longbow
  longbow jobs show s3://photos/2024/cat.jpg s3://photos s3://photos-copy --queue-url jobs --table longbow --dead-letters";

pub(super) const REPORT: &str = "\
Examples:
  longbow report 20260102T030405678Z-1234 s3://photos s3://photos-copy --table longbow --output transfer.csv
  What failed, by key and reason:
    longbow report all s3://photos s3://photos-copy --table longbow --format jsonl | jq 'select(.state == \"failed\")'";

pub(super) const DOCTOR: &str = "\
Examples:
  Without a trace; exit code 2 if a right is missing:
    longbow doctor s3://photos s3://photos-copy --queue-url jobs --table longbow
  Also the rights to write:
    longbow doctor s3://photos s3://photos-copy --queue-url jobs --table longbow --write";

pub(super) const DLQ: &str = "\
Examples:
  longbow dlq list --queue-url jobs
  longbow dlq redrive --queue-url jobs --reason 'access denied'
  longbow dlq purge --queue-url jobs --reason NoSuchKey";

pub(super) const SETTINGS: &str = "\
Examples:
  longbow settings
  LONGBOW_WORKER__MAX_REQUESTS=32 longbow settings --config standalone.toml
  longbow settings --endpoint-url http://127.0.0.1:9000 --part-size 64MiB
  longbow settings --settings-parameter /longbow/settings";

pub(super) const DEMO: &str = "\
Examples:
  longbow demo
  longbow demo --keep";

pub(super) const COMPLETIONS: &str = "\
Examples:
  longbow completions bash > ~/.local/share/bash-completion/completions/longbow
  longbow completions zsh > ~/.zfunc/_longbow
  longbow completions fish > ~/.config/fish/completions/longbow.fish";

pub(super) const MAN: &str = "\
Examples:
  longbow man | man -l -
  longbow man sync | man -l -
  longbow man --dir ~/.local/share/man/man1";
