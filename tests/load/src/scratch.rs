//! Servers of a test's own, to be stopped, killed and copied.

use std::path::PathBuf;
use std::process::Command;

use crate::server::{Server, required};

/// A scratch server; stopped and left on disk when dropped, so that a failure can be looked into.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    server: Server,
    data: PathBuf,
}

impl Scratch {
    /// Makes server `name` anew, with these settings (`name=value`), and starts it.
    ///
    /// # Panics
    /// If the script named by `AUDITSPINE_PGCTL` fails, here and below.
    pub fn start(name: &str, settings: &[&str]) -> Scratch {
        let mut arguments = vec!["new", name];
        arguments.extend(settings);
        call(&arguments);
        Scratch::named(name)
    }

    /// Makes server `name` as a hot standby of this one, and starts it.
    pub fn standby(&self, name: &str) -> Scratch {
        call(&["standby", name, &self.name]);
        Scratch::named(name)
    }

    fn named(name: &str) -> Scratch {
        call(&["start", name]);
        let told = call(&["env", name]);
        let value = |key: &str| {
            let of_key = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
            told.lines().find_map(of_key).unwrap_or_else(|| panic!("no {key} in {told:?}"))
        };
        Scratch {
            name: name.to_owned(),
            server: Server {
                host: value("PGHOST"),
                port: value("PGPORT").parse().expect("a port"),
                user: value("PGUSER"),
            },
            data: PathBuf::from(value("PGDATA")),
        }
    }

    /// How to reach the server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its data directory.
    pub fn data(&self) -> &PathBuf {
        &self.data
    }

    /// Stops the server in this mode of `pg_ctl` (`smart`, `fast`, `immediate`).
    pub fn stop(&self, mode: &str) {
        call(&["stop", &self.name, mode]);
    }

    /// Starts a server that was stopped or killed.
    pub fn start_again(&self) {
        call(&["start", &self.name]);
    }

    /// Sends SIGKILL to every process of the server.
    pub fn kill9(&self) {
        call(&["kill9", &self.name]);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The test's own outcome is what counts; a server already down is no failure.
        let _ = script(&["stop", &self.name, "immediate"]).output();
    }
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(required("AUDITSPINE_PGCTL"));
    command.args(arguments);
    command
}

fn call(arguments: &[&str]) -> String {
    let output = script(arguments).output().expect("the script named by AUDITSPINE_PGCTL");
    assert!(
        output.status.success(),
        "scratch-server {arguments:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
