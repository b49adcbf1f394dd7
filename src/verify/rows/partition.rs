//! A table that holds rows: the audited one, or one of its partitions.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use auditspine_core::hash::{Hash, HashSink};
use auditspine_core::rows::{
    CurrentColumns, KeyHasher, Layouts, Mapping, Place, Relation, RowRecord,
};
use pgrx::pg_sys;

use crate::capture::declaration::{ChainOf, Declaration};
use crate::capture::layouts::present_columns;
use crate::capture::row_spec::{ChainColumns, Spec, write_chain};
use crate::ledger::chains::begin_tenant;
use crate::pg::heap::{Fetcher, TableScan, Tuple};
use crate::pg::relation::{OpenRelation, name_of};
use crate::pg::row_json::{DeformedRow, RowLayout};
use crate::verify::rows::cells::{Plan, row_of};
use crate::verify::rows::chains::ChainFilter;

/// One of the tables whose rows are verified.
pub struct Partition {
    relation: OpenRelation,
    /// Its qualified name.
    pub name: String,
    /// How its rows are recorded now.
    pub spec: Spec,
    /// Its columns now.
    pub present: CurrentColumns,
    /// Number of the layout that is the present one, if it is recorded.
    pub current_layout: Option<i32>,
    fetcher: Fetcher,
    plans: HashMap<i32, Rc<Plan>>,
    ways: Option<Rc<Vec<HashRecipe>>>,
    scratch: Vec<u8>,
    row: DeformedRow,
    chains: Option<Chains>,
}

/// The keys of the chains whose rows count, and the columns that name a row's.
struct Chains {
    keys: HashSet<Vec<u8>>,
    columns: Vec<i16>,
    key: Vec<u8>,
}

impl Chains {
    fn has(&mut self, layout: &RowLayout, row: &DeformedRow) -> bool {
        write_chain(layout, &self.columns, row, &mut self.key);
        self.keys.contains(&self.key)
    }
}

/// How a row may have been hashed whose entry names no layout, and what comes of it.
pub struct HashRecipe {
    /// Where the layout's columns are.
    pub mapping: Mapping,
    layout: Option<RowLayout>,
}

/// A row met by a scan, as long as it is looked at.
pub struct ScannedName<'a> {
    /// The text of its key.
    pub key: &'a [u8],
    /// How rows of its table are recorded.
    pub spec: &'a Spec,
    /// Its values.
    pub row: &'a DeformedRow,
    /// Its hash under the present layout.
    pub hash: Hash,
    /// Where it is.
    pub place: Place,
}

/// A row met by a scan, or read again.
pub struct ScannedRow {
    /// Its key; `None` if a column of it is null.
    pub key: Option<Vec<u8>>,
    /// The row, canonical JSON.
    pub json: Vec<u8>,
}

impl Partition {
    /// Opens a table under a lock that its reader needs. Rows of other chains are passed over.
    pub fn open(
        oid: pg_sys::Oid,
        declaration: &Declaration,
        layouts: &Layouts,
        chains: &ChainFilter,
    ) -> Partition {
        let relation = OpenRelation::table(oid, pg_sys::AccessShareLock);
        let keys = match declaration.chain {
            ChainOf::By(_) => chains.keys(),
            // All rows are in the same.
            ChainOf::Named(_) => None,
        };
        let declaration = for_reading(&relation, declaration, keys.is_some());
        let spec = Spec::resolve(&relation, &declaration);
        let chains = match (keys, &spec.chain) {
            (Some(keys), ChainColumns::By(columns)) => Some(Chains {
                keys,
                columns: columns.clone(),
                key: Vec::new(),
            }),
            _ => None,
        };
        let present = present_columns(&relation, |attnum| spec.layout.has_column(attnum));
        let current_layout = layouts.current(&present);
        let again = OpenRelation::table(oid, pg_sys::NoLock);
        Partition {
            name: relation.qualified(),
            fetcher: Fetcher::new(again),
            relation,
            spec,
            present,
            current_layout,
            plans: HashMap::new(),
            ways: None,
            scratch: Vec::new(),
            row: DeformedRow::default(),
            chains,
        }
    }

    /// The table.
    pub fn relation(&self) -> &OpenRelation {
        &self.relation
    }

    /// The name of a column by which rows are told apart by chain, and whose text is not what it was when rows
    /// were recorded from this entry on; `None` if there is none, or if all rows count.
    pub fn renames_chains(&self, layouts: &Layouts, from: i64) -> Option<&str> {
        let chains = self.chains.as_ref()?;
        let asked = |tenant: &str| {
            let mut key = Vec::new();
            begin_tenant(&mut key);
            key.extend_from_slice(tenant.as_bytes());
            chains.keys.contains(&key)
        };
        layouts.renames_chains(&chains.columns, &self.present, from, &asked)
    }

    /// Takes a tuple of this table apart, and shows it if its chain counts.
    pub fn with_row(&mut self, tuple: &Tuple<'_>, show: impl FnOnce(&Spec, &DeformedRow)) {
        let (chains, spec) = (&mut self.chains, &self.spec);
        tuple.deform(&mut self.row, |row| {
            if chains
                .as_mut()
                .is_none_or(|chains| chains.has(&spec.layout, row))
            {
                show(spec, row);
            }
        });
    }

    /// Shows what is to be compared of every row that the active snapshot sees and whose chain counts;
    /// rows with a null key are only told of by their place. Returns how many there are.
    pub fn scan(
        &mut self,
        number: u32,
        hasher: &KeyHasher,
        show: &mut dyn FnMut(RowRecord),
        keyless: &mut dyn FnMut(Place),
    ) -> u64 {
        let mut show = |row: ScannedName<'_>| {
            show(RowRecord {
                key: hasher.digest(row.key),
                hash: row.hash,
                place: row.place,
                leaf: number,
            });
        };
        self.scan_names(&mut show, keyless)
    }

    /// As [`Partition::scan`], with the row and the text of its key.
    pub fn scan_names(
        &mut self,
        show: &mut dyn FnMut(ScannedName<'_>),
        keyless: &mut dyn FnMut(Place),
    ) -> u64 {
        let mut rows = 0u64;
        let mut key = Vec::new();
        let mut buffer = std::mem::take(&mut self.scratch);
        let row = &mut self.row;
        let spec = &self.spec;
        let chains = &mut self.chains;
        let mut met = 0u64;
        let mut scan = TableScan::begin(&self.relation, true);
        let mut look_at = |place: Place, row: &DeformedRow| {
            let counts = chains
                .as_mut()
                .is_none_or(|chains| chains.has(&spec.layout, row));
            rows += u64::from(counts);
            if !counts {
                // Another chain's.
            } else if spec.key_is_null(row) {
                keyless(place);
            } else {
                spec.write_key(row, &mut key);
                let mut sink = HashSink::with_buffer(std::mem::take(&mut buffer));
                spec.layout.write(row, &mut sink);
                let (hash, used) = sink.finish();
                buffer = used;
                show(ScannedName {
                    key: &key,
                    spec,
                    row,
                    hash,
                    place,
                });
            }
        };
        while scan
            .next(|tuple| tuple.deform(row, |row| look_at(tuple.place(), row)))
            .is_some()
        {
            met += 1;
            if met.is_multiple_of(1024) {
                pgrx::check_for_interrupts!();
            }
        }
        drop(scan);
        self.scratch = buffer;
        rows
    }

    /// Reads a row again.
    pub fn fetch(&mut self, place: Place) -> Option<ScannedRow> {
        let (row, spec) = (&mut self.row, &self.spec);
        self.fetcher.fetch(place, |tuple| {
            tuple.deform(row, |row| {
                let mut found = ScannedRow {
                    key: None,
                    json: Vec::new(),
                };
                if !spec.key_is_null(row) {
                    let mut key = Vec::new();
                    spec.write_key(row, &mut key);
                    found.key = Some(key);
                }
                spec.layout.write(row, &mut found.json);
                found
            })
        })
    }

    /// The row's hash in one of the ways of [`Partition::ways`].
    pub fn hash(&mut self, place: Place, way: &HashRecipe) -> Option<Hash> {
        let layout = way.layout.as_ref()?;
        let (row, buffer) = (&mut self.row, &mut self.scratch);
        self.fetcher.fetch(place, |tuple| {
            tuple.deform(row, |row| {
                let mut sink = HashSink::with_buffer(std::mem::take(buffer));
                layout.write(row, &mut sink);
                let (hash, used) = sink.finish();
                *buffer = used;
                hash
            })
        })
    }

    /// Looks at a row again, taken apart.
    pub fn look_at<R>(
        &mut self,
        place: Place,
        look: impl FnOnce(&DeformedRow, &mut Vec<u8>) -> R,
    ) -> Option<R> {
        let (row, buffer) = (&mut self.row, &mut self.scratch);
        self.fetcher
            .fetch(place, |tuple| tuple.deform(row, |row| look(row, buffer)))
    }

    /// How a row whose entry names this layout is held against it; `None` if the layout is not known.
    pub fn plan(&mut self, layout: i32, layouts: &Layouts) -> Option<Rc<Plan>> {
        if let Some(plan) = self.plans.get(&layout) {
            return Some(plan.clone());
        }
        let recorded = layouts.get(layout)?;
        let plan = Rc::new(Plan::of(&self.relation, recorded, layouts, &self.present));
        self.plans.insert(layout, plan.clone());
        Some(plan)
    }

    /// The ways to hash a row whose entry names no layout.
    pub fn ways(&mut self, layouts: &Layouts) -> Rc<Vec<HashRecipe>> {
        if let Some(ways) = &self.ways {
            return ways.clone();
        }
        let relation = &self.relation;
        let ways = layouts
            .map_unnamed(&self.present)
            .into_iter()
            .map(|mapping| {
                let complete = !matches!(mapping.relation, Relation::Gone(_));
                HashRecipe {
                    layout: complete.then(|| row_of(relation, &mapping, |_| true)),
                    mapping,
                }
            });
        let ways = Rc::new(ways.collect::<Vec<_>>());
        self.ways = Some(ways.clone());
        ways
    }
}

/// The declaration as far as it matters for reading: without excluded columns that are gone, and
/// unless rows are told apart by chain, whatever became of the chain.
fn for_reading(relation: &OpenRelation, declaration: &Declaration, by_chain: bool) -> Declaration {
    let attributes = relation.attributes();
    let mut declaration = declaration.clone();
    if !by_chain {
        declaration.chain = ChainOf::Named("main".to_owned());
    }
    declaration.exclude.retain(|name| {
        attributes.iter().any(|attribute| {
            !attribute.attisdropped && name_of(&attribute.attname) == name.as_bytes()
        })
    });
    declaration
}
