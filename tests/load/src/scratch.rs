//! Servers of a test's own, to be stopped, killed and copied.

use std::process::Command;
use std::thread;

use crate::server::{Server, required};

/// A scratch server. Dropped from disk with this value, unless the test fails: then it is only
/// stopped, so that it can be looked into.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    server: Server,
}

impl Scratch {
    /// Makes server `name` anew, with these settings (`name=value`), and starts it.
    ///
    /// # Panics
    /// If the script named by `AUDITSPINE_PGCTL` fails, here and below.
    pub fn new(name: &str, settings: &[&str]) -> Scratch {
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
        let told = call(&["conninfo", name]);
        let value = |key: &str| {
            told.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_else(|| panic!("no {key} in {told:?}"))
        };
        let server = Server {
            host: value("host").to_owned(),
            port: value("port").parse().expect("a port"),
            user: value("user").to_owned(),
        };
        Scratch {
            name: name.to_owned(),
            server,
        }
    }

    /// How to reach the server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Stops the server in this mode of `pg_ctl`: `fast` or `immediate`.
    pub fn stop(&self, mode: &str) {
        call(&["stop", &self.name, mode]);
    }

    /// Starts a server that was stopped or killed.
    pub fn start_again(&self) {
        call(&["start", &self.name]);
    }

    /// Sends SIGKILL to the postmaster; returns when its backends are gone as well.
    pub fn kill9(&self) {
        call(&["kill9", &self.name]);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What the test itself found is what counts, so a failure to clean up is none.
        let _ = if thread::panicking() {
            script(&["stop", &self.name, "immediate"]).output()
        } else {
            script(&["drop", &self.name]).output()
        };
    }
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(required("AUDITSPINE_PGCTL"));
    command.args(arguments);
    command
}

fn call(arguments: &[&str]) -> String {
    let output = script(arguments)
        .output()
        .expect("the script named by AUDITSPINE_PGCTL");
    assert!(
        output.status.success(),
        "scratch-server {arguments:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
