//! The memory that the system leaves to this process: the limit of its control group.

use std::path::{Path, PathBuf};

/// The smaller of the setting and half the control group's limit.
pub(crate) fn budget(setting: u64) -> u64 {
    control_group_limit(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"))
        .map_or(setting, |limit| setting.min(limit / 2))
}

/// The lowest limit on the way from the group up to the root: the first or second version's files.
fn control_group_limit(membership: &Path, root: &Path) -> Option<u64> {
    let membership = std::fs::read_to_string(membership).ok()?;
    let mut lowest: Option<u64> = None;
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (base, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            c if c.split(',').any(|c| c == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        let group = PathBuf::from(group.trim_start_matches('/'));
        for above in group.ancestors() {
            let text = std::fs::read_to_string(base.join(above).join(file)).unwrap_or_default();
            // "max" is no number, and version 1 writes a huge one for "no limit".
            if let Ok(limit) = text.trim().parse::<u64>() {
                lowest = Some(lowest.map_or(limit, |l| l.min(limit)));
            }
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_above_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("membership"), "0::/a/b\n").unwrap();
        let limit = || control_group_limit(&root.join("membership"), root);
        assert_eq!(limit(), None);
        std::fs::write(root.join("a/b/memory.max"), "max\n").unwrap();
        assert_eq!(limit(), None);
        std::fs::write(root.join("a/memory.max"), "1000\n").unwrap();
        assert_eq!(limit(), Some(1000));
        std::fs::write(root.join("a/b/memory.max"), "600\n").unwrap();
        assert_eq!(limit(), Some(600));
    }
}
