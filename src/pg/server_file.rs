//! Files on the server, read as pg_read_binary_file() reads them, by the rules that it has for who may:
//! but never waited for, as a pipe that nobody writes to would be.

use std::ffi::{CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use pgrx::pg_sys;

use super::query::read_one;
use crate::error::Failure;

/// Bytes of a file that are read at once.
const PIECE: usize = 4 * 1024 * 1024;

/// Reads a file of the server in pieces. Raises PostgreSQL's own error unless the caller may, 42809 for
/// what is no regular file, 58P01 for what is not there.
pub fn read_pieces(path: &[u8], mut show: impl FnMut(&[u8])) {
    let path = String::from_utf8_lossy(path);
    let mut file = open(&path);
    let mut piece = vec![0; PIECE];
    loop {
        pgrx::check_for_interrupts!();
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => show(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => fail("read", &path, &error),
        }
    }
}

fn open(path: &str) -> File {
    let Some(canonical) = permitted(path) else {
        refuse(path)
    };
    // Looked at after it is open, so that it cannot be swapped in between; O_NONBLOCK opens a pipe at once.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(&canonical);
    let file = opened.unwrap_or_else(|error| match error.raw_os_error() {
        // A socket, or a device without a driver.
        Some(libc::ENXIO | libc::ENODEV) => not_a_file(path),
        _ => fail("open", path, &error),
    });
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => file,
        Ok(_) => not_a_file(path),
        Err(error) => fail("examine", path, &error),
    }
}

/// The path as PostgreSQL would open it, if the caller may read it with pg_read_binary_file().
fn permitted(path: &str) -> Option<PathBuf> {
    let may_call = read_one::<bool>(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text,bigint,bigint)', 'EXECUTE')",
        &[],
    );
    if !matches!(may_call, Ok(Some(true))) {
        return None;
    }
    let mut path = CString::new(path).ok()?.into_bytes_with_nul();
    // SAFETY: canonicalize_path shortens a string in place; what it is compared with are strings of
    // PostgreSQL's, set when the server starts or reads its settings.
    let allowed = unsafe {
        pg_sys::canonicalize_path(path.as_mut_ptr().cast());
        let path = path.as_ptr().cast();
        let within = |folder| pg_sys::path_is_prefix_of_path(folder, path);
        let reader = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_SERVER_FILES);
        if pg_sys::has_privs_of_role(pg_sys::GetUserId(), reader) {
            true
        } else if is_absolute(path) {
            within(pg_sys::DataDir)
                || (is_absolute(pg_sys::Log_directory) && within(pg_sys::Log_directory))
        } else {
            pg_sys::path_is_relative_and_below_cwd(path)
        }
    };
    let end = path.iter().position(|byte| *byte == 0)?;
    allowed.then(|| PathBuf::from(OsStr::from_bytes(&path[..end])))
}

/// # Safety
/// `path` is a NUL-terminated string.
unsafe fn is_absolute(path: *const std::ffi::c_char) -> bool {
    // SAFETY: the caller's.
    unsafe { *path as u8 == b'/' }
}

/// Raises PostgreSQL's own error for a file that the caller may not read.
fn refuse(path: &str) -> ! {
    let piece = read_one::<Vec<u8>>(
        "SELECT pg_catalog.pg_read_binary_file($1, 0, 0)",
        &[path.into()],
    );
    let error = piece.err().map(|error| error.to_string());
    let error = io::Error::other(error.unwrap_or_else(|| "permission denied".to_owned()));
    fail("read", path, &error)
}

fn not_a_file(path: &str) -> ! {
    Failure::NotAFile.raise(
        format!("\"{path}\" is not a regular file"),
        "name the file that heads were published to, or a copy of it",
    )
}

fn fail(doing: &str, path: &str, error: &io::Error) -> ! {
    let class = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::FileNotFound,
        _ => Failure::FileError,
    };
    class.raise(
        format!("could not {doing} file \"{path}\": {error}"),
        "see that the server's operating system user may read the file",
    )
}
