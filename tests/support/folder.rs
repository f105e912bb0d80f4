//! A folder to upload into, and to see what was left there.

use super::until;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test is over.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("onepoll-uploads-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    /// Files below it that this process has open, with a name or without.
    pub fn open(&self) -> usize {
        let below = |target: PathBuf| target.starts_with(&self.0) && target != self.0;
        let entries = fs::read_dir("/proc/self/fd").unwrap();
        entries.filter(|e| fs::read_link(e.as_ref().unwrap().path()).is_ok_and(below)).count()
    }

    /// Waits until nothing is left of any upload.
    #[track_caller]
    pub fn is_clean(&self) {
        until("no file is left", || self.open() == 0);
        assert!(self.names().is_empty(), "{:?}", self.names());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    /// Makes it a file system of 1 MiB, as long as what is returned lives; `None` where
    /// that can't be done.
    pub fn small(&self) -> Option<Mount> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&self.0);
        if !mount.output().is_ok_and(|output| output.status.success()) {
            println!("skipped: no small file system can be mounted");
            return None;
        }
        Some(Mount(self.0.clone()))
    }
}

/// Undone when the test is over, however that ends.
pub struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
