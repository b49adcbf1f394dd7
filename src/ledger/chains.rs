//! The chains that exist: found by name or tenant, created at their first event where a trigger asks for it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::short_text;
use pgrx::{IntoDatum, pg_sys};

use crate::error::Failure;
use crate::ledger::catalog::{chain_column, state};
use crate::ledger::lane;
use crate::ledger::names::{self, NameId};
use crate::pg::arena::DatumArena;
use crate::pg::clock;
use crate::pg::index_lookup::{Underway, last_row, underway};
use crate::pg::index_scan::Condition;
use crate::pg::insert::{Inserter, Rows};
use crate::pg::relation::OpenRelation;
use crate::pg::sequence;

/// Lanes of a chain unless somebody says otherwise.
pub const DEFAULT_LANES: i16 = 32;
pub use auditspine_core::verify::MAX_LANES;
/// The chain of events that name none.
pub const MAIN: &[u8] = b"main";
/// The chain of what runs, publications and grants leave in their tables ([`crate::ledger::evidence`]): apart from
/// main, whose writers could keep a run waiting.
pub const EVIDENCE: &[u8] = b"auditspine.evidence";
/// What names of the extension's own chains begin with.
const RESERVED: &[u8] = b"auditspine.";
/// The longest name, in bytes; those of tenants' chains may be a little longer.
const MAX_NAME: usize = short_text::LIMIT;

/// What the name of a tenant's chain begins with where the tenant's own is taken, or could be.
const TENANTS: &[u8] = b"tenant:";
/// A key that begins with it, which no text of PostgreSQL's has in it, is a tenant's.
const TENANT_MARK: u8 = 0;

/// Begins the key of a tenant's chain in `out`: the value of the columns that chain_by names follows.
/// Tenants and operators share no keys, whatever they are called.
pub fn begin_tenant(out: &mut Vec<u8>) {
    out.clear();
    out.push(TENANT_MARK);
}

/// Ends the key that [`begin_tenant`] has begun: a value that is too long for a name stands in its short form.
pub fn end_tenant(key: &mut Vec<u8>) {
    if let Cow::Owned(short) = short_text::shorten(&key[1..]) {
        key.truncate(1);
        key.extend_from_slice(&short);
    }
}

/// The key of a tenant's chain: of the value as it stands in a name.
pub fn key_of_tenant(value: &[u8]) -> Vec<u8> {
    [&[TENANT_MARK], value].concat()
}

/// The tenant whose chain the key stands for; that of an operator's chain is its name.
fn tenant_of(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(&[TENANT_MARK])
}

/// Whose a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The operators': chain main, and what create_chain() makes.
    Operators,
    /// That of this tenant, made at its first event by a trigger with chain_by.
    Tenant(Rc<[u8]>),
    /// From a time when that was not recorded.
    Unknown,
}

/// A chain as the catalog table has it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Number of the chain.
    pub id: i32,
    /// How many lanes appenders may use.
    pub lanes: i16,
    /// Its name.
    pub name: Rc<[u8]>,
    /// Whose it is.
    pub owner: Owner,
}

impl Chain {
    /// The keys of the chains that events of its rows go to.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        match &self.owner {
            Owner::Operators => vec![self.name.to_vec()],
            Owner::Tenant(tenant) => vec![key_of_tenant(tenant)],
            Owner::Unknown => vec![self.name.to_vec(), key_of_tenant(&self.name)],
        }
    }
}

#[derive(Default)]
struct Cache {
    by_key: HashMap<Box<[u8]>, Chain>,
    /// Those that were looked for last, by the number of the key.
    recent: Vec<(NameId, Chain)>,
    /// Keys of those that this transaction created: forgotten if it, or a part of it, is rolled back.
    created: Vec<Box<[u8]>>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Most chains that a backend remembers.
const CACHE_LIMIT: usize = 100_000;

/// Most of those that are found without looking at their keys.
const RECENT_LIMIT: usize = 8;

/// Forgets everything, because the table changed under us.
pub fn forget_all() {
    CACHE.with(|cache| *cache.borrow_mut() = Cache::default());
}

/// Forgets the chains that the transaction created; for a rollback, whole or to a savepoint.
pub fn forget_created() {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if !cache.created.is_empty() {
            cache.recent.clear();
        }
        for key in std::mem::take(&mut cache.created) {
            cache.by_key.remove(&key);
        }
    });
}

/// Keeps the chains that the transaction created; for a commit.
pub fn keep_created() {
    CACHE.with(|cache| cache.borrow_mut().created.clear());
}

/// The chain of that key, if there is one: a name, or what [`begin_tenant`] begins.
pub fn find(key: &[u8]) -> Option<Chain> {
    // Resolving the state first lets a change of the tables empty the cache.
    let table = state().chain;
    if let Some(chain) = CACHE.with(|cache| cache.borrow().by_key.get(key).cloned()) {
        return Some(chain);
    }
    let table = OpenRelation::table(table, pg_sys::AccessShareLock);
    let chain = match tenant_of(key) {
        None => find_in(&table, Column::Name, key),
        Some(tenant) => find_in(&table, Column::Tenant, tenant).or_else(|| {
            // One that was made when its name was all that was known of it.
            find_in(&table, Column::Name, tenant).filter(|chain| chain.owner == Owner::Unknown)
        }),
    }?;
    remember(key, chain.clone());
    Some(chain)
}

/// What a chain is searched by.
#[derive(Clone, Copy)]
enum Column {
    Name,
    Tenant,
}

/// The index to search and the condition; `None` where chains have no such column yet. To be called under
/// the lock on the table: only then does an index stay the one to search.
fn by(column: Column, text: &[u8], arena: &mut DatumArena) -> Option<(pg_sys::Oid, Condition)> {
    let state = state();
    let index = match column {
        Column::Name => state.name_index(),
        Column::Tenant if state.has_tenants => state.tenant_index(),
        Column::Tenant => return None,
    };
    let condition = Condition::equal(pg_sys::F_TEXTEQ, arena.varlena(text));
    Some((index, condition))
}

fn find_in(table: &OpenRelation, column: Column, text: &[u8]) -> Option<Chain> {
    let mut arena = DatumArena::default();
    let (index, condition) = by(column, text, &mut arena)?;
    last_row(table, index, &[condition], |row| {
        let of = || {
            let text = String::from_utf8_lossy(text);
            format!("the row of chain \"{text}\" in auditspine.chain")
        };
        let Some(id) = row.int4(chain_column::CHAIN_ID) else {
            row.unusable(chain_column::CHAIN_ID, of())
        };
        let Some(name) = row.bytes(chain_column::NAME) else {
            row.unusable(chain_column::NAME, of())
        };
        // Lanes are counted by it.
        let lanes = match row.int2(chain_column::LANES) {
            Some(lanes) if (1..=MAX_LANES).contains(&lanes) => lanes,
            _ => row.unusable(chain_column::LANES, of()),
        };
        let owner = match row.bytes(chain_column::ORIGIN).as_deref() {
            Some(b"operator") => Owner::Operators,
            Some(b"tenant") => match row.bytes(chain_column::TENANT) {
                Some(tenant) => Owner::Tenant(tenant.into()),
                None => row.unusable(chain_column::TENANT, of()),
            },
            // Before the update all share the locks of their groups, whatever library takes them.
            _ if name == MAIN && state().has_tenants => Owner::Operators,
            _ => Owner::Unknown,
        };
        Chain {
            id,
            lanes,
            name: name.into(),
            owner,
        }
    })
}

fn remember(key: &[u8], chain: Chain) {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.by_key.len() >= CACHE_LIMIT {
            *cache = Cache {
                created: std::mem::take(&mut cache.created),
                ..Cache::default()
            };
        }
        cache.by_key.insert(key.into(), chain);
    });
}

/// As [`expect`], of a key by its number.
pub fn expect_interned(key: NameId) -> Chain {
    // Resolving the state first lets a change of the tables empty the cache.
    state();
    let recent = CACHE.with(|cache| {
        let cache = cache.borrow();
        let mut recent = cache.recent.iter();
        recent
            .find(|(other, _)| *other == key)
            .map(|(_, chain)| chain.clone())
    });
    recent.unwrap_or_else(|| {
        let chain = expect(&names::name(key));
        CACHE.with(|cache| {
            let recent = &mut cache.borrow_mut().recent;
            if recent.len() >= RECENT_LIMIT {
                recent.clear();
            }
            recent.push((key, chain.clone()));
        });
        chain
    })
}

/// The chain of that key; an ERROR if there is none.
pub fn expect(key: &[u8]) -> Chain {
    find(key).unwrap_or_else(|| {
        let name = String::from_utf8_lossy(tenant_of(key).unwrap_or(key));
        Failure::UnknownChain.raise(
            format!("audit chain \"{name}\" does not exist"),
            format!(
                "create it with create_chain('{}'), or see auditspine.chain",
                name.replace('\'', "''")
            ),
        )
    })
}

/// The chain that others than the extension may name; an ERROR if there is none, or if it is its own.
pub fn expect_named(name: &[u8]) -> Chain {
    refuse_reserved(name);
    expect(name)
}

fn refuse_reserved(name: &[u8]) {
    if name.starts_with(RESERVED) {
        Failure::InvalidValue.raise(
            format!(
                "\"{}\" cannot name an audit chain: names that begin with \"auditspine.\" are for the extension's own",
                String::from_utf8_lossy(name)
            ),
            "choose another name",
        );
    }
}

/// The chain that a declaration names; an ERROR if there is none, or if it is a tenant's or the extension's own.
pub fn expect_operators(name: &[u8]) -> Chain {
    let chain = expect_named(name);
    if let Owner::Tenant(tenant) = &chain.owner {
        Failure::InvalidValue.raise(
            format!(
                "audit chain \"{}\" is that of tenant \"{}\"",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(tenant)
            ),
            "a tenant's chain takes the rows that chain_by finds in it: name one that create_chain() made, under \
             another name",
        );
    }
    chain
}

/// Finds or creates the chains of those keys, in the order of names. When two transactions create the
/// same chain at once, one waits for the other to end, and creates it only if the other did not.
pub fn ensure<'a>(keys: impl Iterator<Item = &'a [u8]>) {
    let mut missing: Vec<&[u8]> = keys.filter(|key| find(key).is_none()).collect();
    missing.sort_unstable_by_key(|key| (tenant_of(key).unwrap_or(key), *key));
    missing.dedup();
    for key in missing {
        find_or_make(key, DEFAULT_LANES);
    }
}

/// The chain of a key that was not there a moment ago, and whether it was made here.
fn find_or_make(key: &[u8], lanes: i16) -> (Chain, bool) {
    let text = tenant_of(key).unwrap_or(key);
    loop {
        let lock = lane::NameLock::take(text);
        if let Some(chain) = find(key) {
            return (chain, false);
        }
        match being_made(key) {
            Underway::Nothing => return (insert(key, lanes), true),
            Underway::There => (),
            Underway::By(maker) => {
                drop(lock);
                lane::wait_for_maker(maker, text);
            }
        }
    }
}

/// Whether another transaction is making a chain of that key.
fn being_made(key: &[u8]) -> Underway {
    match tenant_of(key) {
        Some(tenant) if state().has_tenants => appears(Column::Tenant, tenant),
        Some(name) => appears(Column::Name, name),
        None => appears(Column::Name, key),
    }
}

/// What others have to do with a chain of that name, or tenant.
fn appears(column: Column, text: &[u8]) -> Underway {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let mut arena = DatumArena::default();
    match by(column, text, &mut arena) {
        Some((index, condition)) => underway(&table, index, &[condition]),
        None => Underway::Nothing,
    }
}

/// Creates a chain and returns its number; an ERROR if the name is taken or the arguments are out
/// of range.
pub fn create(name: &[u8], lanes: i32) -> i32 {
    check_name(name);
    refuse_reserved(name);
    if name.starts_with(TENANTS) {
        Failure::InvalidValue.raise(
            format!(
                "\"{}\" cannot name an audit chain: names that begin with \"tenant:\" are for tenants' chains",
                String::from_utf8_lossy(name)
            ),
            "choose another name",
        );
    }
    let Some(lanes) = i16::try_from(lanes)
        .ok()
        .filter(|lanes| (1..=MAX_LANES).contains(lanes))
    else {
        Failure::InvalidValue.raise(
            format!("a chain cannot have {lanes} lanes"),
            format!(
                "choose 1 (one strict order, commits one after the other) to {MAX_LANES}; {DEFAULT_LANES} \
                 suits most"
            ),
        );
    };
    match find_or_make(name, lanes) {
        (chain, true) => chain.id,
        (chain, false) => Failure::DuplicateChain.raise(
            format!(
                "audit chain \"{}\" already exists, with {} lanes",
                String::from_utf8_lossy(name),
                chain.lanes
            ),
            "choose another name, or use the chain as it is; lanes are fixed at creation",
        ),
    }
}

/// Refuses what cannot name a chain.
pub fn check_name(name: &[u8]) {
    if name.is_empty() || name.len() > MAX_NAME {
        let shown: String = String::from_utf8_lossy(name).chars().take(40).collect();
        Failure::InvalidValue.raise(
            format!(
                "\"{shown}\" cannot name an audit chain: it has {} bytes",
                name.len()
            ),
            format!("a chain's name has 1 to {MAX_NAME} bytes"),
        );
    }
}

/// A name for the chain of a tenant: its own, unless that is taken, or looks like a name made here.
fn name_for(tenant: &[u8]) -> Vec<u8> {
    let made_here = [TENANTS, RESERVED].iter().any(|it| tenant.starts_with(it));
    let own = !tenant.is_empty() && !made_here;
    let mut name = if own {
        tenant.to_vec()
    } else {
        [TENANTS, tenant].concat()
    };
    // Two tenants' names are never alike, so it is an operator's, or is about to be.
    while appears(Column::Name, &name) != Underway::Nothing {
        name = [TENANTS, &name].concat();
    }
    name
}

fn insert(key: &[u8], lanes: i16) -> Chain {
    let state = state();
    let (name, owner) = match tenant_of(key) {
        Some(tenant) if state.has_tenants => (name_for(tenant), Owner::Tenant(tenant.into())),
        named => {
            let name = named.unwrap_or(key);
            check_name(name);
            (name.to_vec(), Owner::Operators)
        }
    };
    let drawn = sequence::draw(state.chain_id_seq, 1);
    let Ok(id) = i32::try_from(drawn) else {
        Failure::InvalidValue.raise(
            format!(
                "there is no chain number left for \"{}\"",
                String::from_utf8_lossy(&name)
            ),
            "auditspine.chain_id_seq has reached the limit of integer",
        );
    };
    let mut arena = DatumArena::default();
    let mut values = [pg_sys::Datum::from(0usize); chain_column::COUNT];
    let mut nulls = [false; chain_column::COUNT];
    values[chain_column::CHAIN_ID] = pg_sys::Datum::from(id);
    values[chain_column::NAME] = arena.varlena(&name);
    values[chain_column::LANES] = pg_sys::Datum::from(lanes);
    let now = clock::now();
    values[chain_column::CREATED_AT] = now.into_datum().unwrap_or_else(|| pg_sys::Datum::from(now));
    let origin: &[u8] = match &owner {
        Owner::Tenant(tenant) => {
            values[chain_column::TENANT] = arena.varlena(tenant);
            b"tenant"
        }
        _ => {
            nulls[chain_column::TENANT] = true;
            b"operator"
        }
    };
    values[chain_column::ORIGIN] = arena.varlena(origin);
    let count = if state.has_tenants {
        chain_column::COUNT
    } else {
        chain_column::COUNT_BEFORE_TENANTS
    };
    Inserter::open(state.chain, Rows { ascending: None }).insert(&values[..count], &nulls[..count]);
    let chain = Chain {
        id,
        lanes,
        name: name.into(),
        // As it will be read again.
        owner: if state.has_tenants {
            owner
        } else {
            Owner::Unknown
        },
    };
    remember(key, chain.clone());
    CACHE.with(|cache| cache.borrow_mut().created.push(key.into()));
    chain
}
