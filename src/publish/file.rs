//! Files as sinks: lines are appended, and on disk when that returns.
//!
//! A line that a crash left unfinished is ended by a line feed of its own, so that the next one is not glued to
//! it. A line that could not be written in full is taken back, where the file lets us. Files that are not there
//! are made, readable by their owner alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::publish::sink::{Identity, OpenSink, Sink, SinkError};

/// A file that `auditspine.publish_file` lists.
pub struct FileSink(pub PathBuf);

impl Sink for FileSink {
    fn name(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn described(&self) -> String {
        format!("file \"{}\"", self.0.display())
    }

    fn open(&self) -> Result<Box<dyn OpenSink + '_>, SinkError> {
        let path = &self.0;
        let opened = open(path).and_then(|file| {
            let metadata = file
                .metadata()
                .map_err(|error| Refused::Io("examine", error))?;
            if !metadata.is_file() {
                return Err(Refused::NotAFile);
            }
            let identity = Identity::File(metadata.dev(), metadata.ino());
            Ok(OpenFile {
                path,
                file,
                identity,
            })
        });
        match opened {
            Ok(file) => Ok(Box::new(file)),
            Err(refused) => Err(refused.of(path)),
        }
    }

    fn is_same_as(&self, earlier: &dyn Sink) -> SinkError {
        SinkError {
            failure: Failure::InvalidValue,
            message: format!(
                "\"{}\" is the same file as \"{}\"",
                self.0.display(),
                earlier.name()
            ),
            hint: "auditspine.publish_file must name each file once",
        }
    }
}

/// Why a file could not be appended to.
enum Refused {
    /// There is something else of that name: a folder, a symbolic link, a device.
    NotAFile,
    /// The operating system refused: what, and how.
    Io(&'static str, io::Error),
}

impl Refused {
    fn of(self, path: &Path) -> SinkError {
        let path = path.display();
        match self {
            Refused::NotAFile => SinkError {
                failure: Failure::NotAFile,
                message: format!("\"{path}\" is not a regular file"),
                hint: "auditspine.publish_file must name a file, or nothing that exists yet; links are not followed",
            },
            Refused::Io(doing, error) => SinkError {
                failure: match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::FileNotFound,
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::DiskFull,
                    _ => Failure::FileError,
                },
                message: format!("could not {doing} file \"{path}\": {error}"),
                hint: "heads were not published; see that the server's operating system user may write the file and its folder",
            },
        }
    }
}

/// A file that is open, and can be appended to.
struct OpenFile<'a> {
    path: &'a Path,
    file: File,
    identity: Identity,
}

impl OpenSink for OpenFile<'_> {
    fn identity(&self) -> Identity {
        self.identity
    }

    /// Publishers of one database take turns anyway; this is for several that share a file.
    fn lock(&self, wait: &mut dyn FnMut()) -> Result<(), SinkError> {
        while let Err(error) = self.file.try_lock() {
            match error {
                TryLockError::WouldBlock => wait(),
                // A file system without locks.
                TryLockError::Error(error) if error.kind() == io::ErrorKind::Unsupported => break,
                TryLockError::Error(error) => {
                    return Err(Refused::Io("lock", error).of(self.path));
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        self.write(lines).map_err(|refused| refused.of(self.path))
    }
}

impl OpenFile<'_> {
    fn write(&mut self, lines: &[u8]) -> Result<(), Refused> {
        let length = self
            .file
            .metadata()
            .map_err(|error| Refused::Io("examine", error))?
            .len();
        let unfinished =
            ends_within_line(&self.file, length).map_err(|error| Refused::Io("read", error))?;
        let written = if unfinished {
            self.file.write_all(&[b"\n", lines].concat())
        } else {
            self.file.write_all(lines)
        };
        if let Err(error) = written {
            // Best effort: a file that may only grow keeps the beginning, which the next call ends.
            let _ = self.file.set_len(length);
            return Err(Refused::Io("write", error));
        }
        self.file
            .sync_all()
            .map_err(|error| Refused::Io("flush", error))?;
        if length == 0
            && let Some(folder) = self.path.parent()
        {
            // The name of a new file is in the folder.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| Refused::Io("flush the folder of", error))?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, Refused> {
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
        Some(libc::ELOOP | libc::EISDIR | libc::ENXIO) => Refused::NotAFile,
        _ => Refused::Io("open", error),
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
