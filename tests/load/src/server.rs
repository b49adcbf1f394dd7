//! Connections and databases.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Config, Error, NoTls};

thread_local! {
    /// Databases that this thread's test has made on the server that all tests share.
    static MADE: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// A test's place among those that run at once, from [`turn`] or [`alone`]. The databases that the test has made on the
/// server of all go with it, unless the test fails: then they can be looked into.
pub struct Turn {
    _beside: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

static TURNS: RwLock<()> = RwLock::new(());

/// To be held for the length of a test that may run beside others.
pub fn turn() -> Turn {
    // A test that failed says nothing about the next, here and below.
    Turn {
        _beside: Some(TURNS.read().unwrap_or_else(PoisonError::into_inner)),
        _alone: None,
    }
}

/// To be held for the length of a test that no other may run beside.
pub fn alone() -> Turn {
    Turn {
        _beside: None,
        _alone: Some(TURNS.write().unwrap_or_else(PoisonError::into_inner)),
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let made = MADE.take();
        if thread::panicking() || made.is_empty() {
            return;
        }
        let mut admin = Server::from_env().database("postgres").connect();
        for name in made {
            run(
                &mut admin,
                &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
            );
        }
    }
}

/// Where a server listens, and as whom to connect.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Host name, or the directory of the Unix socket.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// A superuser.
    pub user: String,
}

impl Server {
    /// The server that the environment names.
    ///
    /// # Panics
    /// If `PGHOST`, `PGPORT` or `PGUSER` is missing: a test without a server must not pass.
    pub fn from_env() -> Server {
        let port = required("PGPORT");
        Server {
            host: required("PGHOST"),
            port: port
                .parse()
                .unwrap_or_else(|_| panic!("PGPORT is not a port: {port:?}")),
            user: required("PGUSER"),
        }
    }

    /// How to reach database `name`.
    pub fn database(&self, name: &str) -> Database {
        Database {
            server: self.clone(),
            name: name.to_owned(),
        }
    }

    /// Makes database `name` anew, with the extension in it.
    pub fn fresh_database(&self, name: &str) -> Database {
        let database = self.empty_database(name);
        database.run("CREATE EXTENSION auditspine");
        database
    }

    /// Makes database `name` anew, with nothing in it.
    pub fn empty_database(&self, name: &str) -> Database {
        self.make_database(name, "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    }

    /// Makes database `name` anew, with these options of `CREATE DATABASE`.
    pub fn make_database(&self, name: &str, options: &str) -> Database {
        if *self == Server::from_env() {
            MADE.with_borrow_mut(|made| made.insert(name.to_owned()));
        }
        let mut admin = self.database("postgres").connect();
        for command in [
            format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
            format!("CREATE DATABASE \"{name}\" {options}"),
        ] {
            run(&mut admin, &command);
        }
        self.database(name)
    }

    /// A client program of the server's own version, told to connect to this server.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(PathBuf::from(required("AUDITSPINE_PGBIN")).join(name));
        command
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user);
        command
    }
}

/// One database of a server.
#[derive(Clone, Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// Name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects.
    ///
    /// # Errors
    /// Whatever the server or the network says.
    pub fn try_connect(&self) -> Result<Client, Error> {
        Config::new()
            .host(&self.server.host)
            .port(self.server.port)
            .user(&self.server.user)
            .dbname(&self.name)
            .application_name("auditspine-load")
            .connect(NoTls)
    }

    /// Connects.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn connect(&self) -> Client {
        self.try_connect()
            .unwrap_or_else(|e| panic!("cannot connect to {self:?}: {e:?}"))
    }

    /// Connects anew once a crash has ended this connection, and all others with it: until then the server takes others
    /// that it ends as well.
    ///
    /// # Panics
    /// If that takes longer than a crash can.
    pub fn connect_after_crash(&self, mut ended: Client) -> Client {
        const PATIENCE: Duration = Duration::from_secs(120);
        let start = Instant::now();
        while ended.batch_execute("").is_ok() {
            assert!(start.elapsed() < PATIENCE, "no crash");
            thread::sleep(Duration::from_millis(20));
        }
        loop {
            match self.try_connect() {
                Ok(client) => return client,
                Err(error) => assert!(start.elapsed() < PATIENCE, "no way back: {error:?}"),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a script on a connection of its own.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn run(&self, script: &str) {
        run(&mut self.connect(), script);
    }
}

/// Runs a script.
///
/// # Panics
/// If a statement fails.
pub fn run(client: &mut Client, script: &str) {
    client
        .batch_execute(script)
        .unwrap_or_else(|e| panic!("{script}\nfailed: {e:?}"));
}

/// The one value that a query returns.
///
/// # Panics
/// If the query fails, or returns anything but one row whose first column is a `T`.
pub fn scalar<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, query: &str) -> T {
    client
        .query_one(query, &[])
        .unwrap_or_else(|e| panic!("{query}\nfailed: {e:?}"))
        .get(0)
}

/// SQLSTATE of an error; `08000` where the connection was lost without one.
pub fn sqlstate(error: &Error) -> &str {
    error.code().map_or("08000", |code| code.code())
}

pub(crate) fn required(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; these tests need a server with auditspine installed: run `make test`")
    })
}
