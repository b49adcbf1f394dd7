//! The file that heads are published to: lines are appended, and on disk when that returns.
//!
//! A line that a crash left unfinished is ended by a line feed of its own, so that the next one is
//! not glued to it. A line that could not be written in full is taken back, where the file lets us.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Why lines could not be appended.
#[derive(Debug)]
pub enum AppendError {
    /// There is something else of that name: a folder, a symbolic link, a device.
    NotAFile,
    /// The operating system refused: what, and how.
    Io(&'static str, io::Error),
}

/// Appends `lines` (whole lines) to the file and flushes it to disk; makes it, readable by its owner
/// alone, if there is none. `wait` is called, again and again, while another process appends.
pub fn append(path: &Path, lines: &[u8], wait: &mut dyn FnMut()) -> Result<(), AppendError> {
    let mut file = open(path)?;
    let metadata = file
        .metadata()
        .map_err(|error| AppendError::Io("examine", error))?;
    if !metadata.is_file() {
        return Err(AppendError::NotAFile);
    }
    // Publishers of one database take turns anyway; this is for several that share a file.
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock => wait(),
            // A file system without locks.
            TryLockError::Error(error) if error.kind() == io::ErrorKind::Unsupported => break,
            TryLockError::Error(error) => return Err(AppendError::Io("lock", error)),
        }
    }
    let length = file
        .metadata()
        .map_err(|error| AppendError::Io("examine", error))?
        .len();
    let unfinished =
        ends_within_line(&file, length).map_err(|error| AppendError::Io("read", error))?;
    let written = if unfinished {
        file.write_all(&[b"\n", lines].concat())
    } else {
        file.write_all(lines)
    };
    if let Err(error) = written {
        // Best effort: a file that may only grow keeps the beginning, which the next call ends.
        let _ = file.set_len(length);
        return Err(AppendError::Io("write", error));
    }
    file.sync_all()
        .map_err(|error| AppendError::Io("flush", error))?;
    if length == 0
        && let Some(folder) = path.parent()
    {
        // The name of a new file is in the folder.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| AppendError::Io("flush the folder of", error))?;
    }
    Ok(())
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
