//! The files that heads are published to: lines are appended, and on disk when that returns.
//!
//! All files are opened, examined and locked before any is written. A line that a crash left unfinished
//! is ended by a line feed of its own, so that the next one is not glued to it. A line that could not be
//! written in full is taken back, where the file lets us.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why lines could not be appended.
#[derive(Debug)]
pub enum AppendError {
    /// There is something else of that name: a folder, a symbolic link, a device.
    NotAFile,
    /// It is the same file as an earlier one, by another name.
    SameAs(PathBuf),
    /// The operating system refused: what, and how.
    Io(&'static str, io::Error),
}

/// A file that is open, locked, and can be appended to.
struct Target<'a> {
    path: &'a Path,
    file: File,
    /// Device and inode: tells the file from all others, whatever its name.
    identity: (u64, u64),
}

/// Appends `lines` (whole lines) to each of the files and flushes them to disk; makes those that are not
/// there, readable by their owner alone. `wait` is called, again and again, with the file that another
/// process has locked. Of an error it is told which file it is about; what the files before it got, they keep.
pub fn append_to_all(
    paths: &[PathBuf],
    lines: &[u8],
    wait: &mut dyn FnMut(&Path),
) -> Result<(), (PathBuf, AppendError)> {
    let mut targets: Vec<Target<'_>> = Vec::with_capacity(paths.len());
    for path in paths {
        let target = Target::open(path).map_err(|error| (path.clone(), error))?;
        if let Some(same) = targets
            .iter()
            .find(|other| other.identity == target.identity)
        {
            return Err((path.clone(), AppendError::SameAs(same.path.to_owned())));
        }
        targets.push(target);
    }
    // In one order everywhere, however others list the same files: else two could wait for one another.
    let mut in_order: Vec<&Target<'_>> = targets.iter().collect();
    in_order.sort_by_key(|target| target.identity);
    for target in in_order {
        target.lock(wait).map_err(|error| target.blamed(error))?;
    }
    for target in &mut targets {
        target
            .append(lines)
            .map_err(|error| (target.path.to_owned(), error))?;
    }
    Ok(())
}

impl<'a> Target<'a> {
    fn open(path: &'a Path) -> Result<Target<'a>, AppendError> {
        let file = open(path)?;
        let metadata = file
            .metadata()
            .map_err(|error| AppendError::Io("examine", error))?;
        if !metadata.is_file() {
            return Err(AppendError::NotAFile);
        }
        Ok(Target {
            path,
            file,
            identity: (metadata.dev(), metadata.ino()),
        })
    }

    fn blamed(&self, error: AppendError) -> (PathBuf, AppendError) {
        (self.path.to_owned(), error)
    }

    /// Publishers of one database take turns anyway; this is for several that share a file.
    fn lock(&self, wait: &mut dyn FnMut(&Path)) -> Result<(), AppendError> {
        while let Err(error) = self.file.try_lock() {
            match error {
                TryLockError::WouldBlock => wait(self.path),
                // A file system without locks.
                TryLockError::Error(error) if error.kind() == io::ErrorKind::Unsupported => break,
                TryLockError::Error(error) => return Err(AppendError::Io("lock", error)),
            }
        }
        Ok(())
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), AppendError> {
        let length = self
            .file
            .metadata()
            .map_err(|error| AppendError::Io("examine", error))?
            .len();
        let unfinished =
            ends_within_line(&self.file, length).map_err(|error| AppendError::Io("read", error))?;
        let written = if unfinished {
            self.file.write_all(&[b"\n", lines].concat())
        } else {
            self.file.write_all(lines)
        };
        if let Err(error) = written {
            // Best effort: a file that may only grow keeps the beginning, which the next call ends.
            let _ = self.file.set_len(length);
            return Err(AppendError::Io("write", error));
        }
        self.file
            .sync_all()
            .map_err(|error| AppendError::Io("flush", error))?;
        if length == 0
            && let Some(folder) = self.path.parent()
        {
            // The name of a new file is in the folder.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| AppendError::Io("flush the folder of", error))?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, AppendError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    // Without O_NONBLOCK a pipe would keep us waiting.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let created = options.clone().create_new(true).open(path);
    let opened = match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        created => created,
    };
    opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP | libc::EISDIR | libc::ENXIO) => AppendError::NotAFile,
        _ => AppendError::Io("open", error),
    })
}

fn ends_within_line(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}
