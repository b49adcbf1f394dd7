//! What a DDL command did to tables, as far as audited ones may care: told to the event trigger
//! `auditspine_ddl` when the command ends.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::compat::{SET_EXPRESSION, recursing};

use crate::error::Failure;

/// The tables that one command touched.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Tables made as partitions.
    pub created: Vec<pg_sys::Oid>,
    /// Tables that became partitions.
    pub attached: Vec<pg_sys::Oid>,
    /// Tables that are partitions no more, with the table that they were part of.
    pub detached: Vec<(pg_sys::Oid, pg_sys::Oid)>,
    /// Tables whose columns changed, or whose key may have.
    pub altered: Vec<pg_sys::Oid>,
    /// Columns that are called otherwise now.
    pub columns: Vec<ColumnChange>,
    /// Tables that inherit from another one from here on.
    pub inheriting: Vec<pg_sys::Oid>,
    /// Columns whose values in rows that are there were made, or made anew.
    pub values: Vec<ColumnValues>,
    /// Tables that a crash empties from here on.
    pub unlogged: Vec<pg_sys::Oid>,
}

/// How values came into a column of rows that were there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnValues {
    /// The table, whose partitions and children went along.
    pub relation: pg_sys::Oid,
    /// The column's name.
    pub column: String,
    /// What the command did.
    pub made: Made,
}

/// What a command did to the values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// The column is new, and has nothing that could have filled it.
    Empty,
    /// The column is new; a default, an identity or an expression filled it.
    Filled,
    /// Its type changed, and values were converted as assignments are.
    Converted,
    /// An expression made its values anew.
    Computed,
}

/// What became of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChange {
    /// The table; or the type, whose attribute it is.
    pub relation: pg_sys::Oid,
    /// What it was called.
    pub old: String,
    /// What it is called now; `None` if it was dropped.
    pub new: Option<String>,
}

impl Touched {
    /// Whether there is nothing of interest.
    pub fn is_empty(&self) -> bool {
        *self == Touched::default()
    }
}

/// The command that an event trigger is called for.
pub struct Command {
    parsetree: *mut pg_sys::Node,
}

impl Command {
    /// The command behind a function's arguments; an ERROR if it was not called as an event trigger.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function.
    pub unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> Command {
        // SAFETY: the caller passes a valid fcinfo; a non-null context is a Node.
        unsafe {
            let context = (*fcinfo).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
                Failure::TriggerProtocol.raise(
                    "auditspine.on_ddl() was not called as an event trigger",
                    "the extension's event trigger auditspine_ddl calls it",
                );
            }
            Command {
                parsetree: (*context.cast::<pg_sys::EventTriggerData>()).parsetree,
            }
        }
    }

    /// The schema that is to be renamed, if that is what the command does.
    pub fn renamed_schema(&self) -> Option<String> {
        // SAFETY: the parse tree of the command under way; such a statement names a schema.
        unsafe {
            if (*self.parsetree).type_ != pg_sys::NodeTag::T_RenameStmt {
                return None;
            }
            let statement = self.parsetree.cast::<pg_sys::RenameStmt>();
            ((*statement).renameType == pg_sys::ObjectType::OBJECT_SCHEMA)
                .then(|| text((*statement).subname))
        }
    }

    /// Whether the command is ALTER TABLE, of a table of that name in any schema.
    pub fn alters_table_called(&self, name: &CStr) -> bool {
        // SAFETY: the parse tree of the command under way; each node is of the type that its tag says, and a name is a
        // string.
        unsafe {
            if (*self.parsetree).type_ != pg_sys::NodeTag::T_AlterTableStmt {
                return false;
            }
            let table = (*self.parsetree.cast::<pg_sys::AlterTableStmt>()).relation;
            !table.is_null() && CStr::from_ptr((*table).relname) == name
        }
    }

    /// Whether the command is of a kind that may concern audited tables: a quick look at what was
    /// written, before anything is looked up.
    pub fn may_matter(&self) -> bool {
        // SAFETY: the parse tree of the command under way; each node is of the type that its tag says.
        unsafe {
            match (*self.parsetree).type_ {
                pg_sys::NodeTag::T_CreateStmt | pg_sys::NodeTag::T_CreateForeignTableStmt => {
                    makes_partition(self.parsetree) || inherits(self.parsetree)
                }
                pg_sys::NodeTag::T_CreateSchemaStmt => {
                    !(*self.parsetree.cast::<pg_sys::CreateSchemaStmt>())
                        .schemaElts
                        .is_null()
                }
                pg_sys::NodeTag::T_AlterTableStmt => {
                    let statement = self.parsetree.cast::<pg_sys::AlterTableStmt>();
                    nodes((*statement).cmds)
                        .iter()
                        .any(|command| Effect::of(command.cast()).is_some())
                }
                pg_sys::NodeTag::T_RenameStmt => renames_column(self.parsetree.cast()),
                _ => false,
            }
        }
    }

    /// What the command did. To be called at its end under the `search_path` that it ran with, and only if
    /// it [`Command::may_matter`].
    pub fn touched(&self) -> Touched {
        let mut touched = Touched::default();
        for command in collected() {
            // SAFETY: PostgreSQL keeps what it collected until the event triggers have run; the union's
            // member is the one that the type says.
            unsafe {
                let command = &*command;
                match command.type_ {
                    pg_sys::CollectedCommandType::SCT_Simple => {
                        let table = command.d.simple.address;
                        if table.classId == pg_sys::RelationRelationId {
                            note_simple(&mut touched, command.parsetree, table.objectId);
                        }
                    }
                    pg_sys::CollectedCommandType::SCT_AlterTable => {
                        let table = command.d.alterTable.objectId;
                        for subcommand in nodes(command.d.alterTable.subcmds) {
                            let subcommand = &*subcommand.cast::<pg_sys::CollectedATSubcmd>();
                            let values = values_of(table, subcommand.parsetree.cast());
                            touched.values.extend(values);
                            match Effect::of(subcommand.parsetree.cast()) {
                                Some(Effect::Attach) => {
                                    touched.attached.extend(partition_of(subcommand));
                                }
                                Some(Effect::Detach) => {
                                    let child = partition_of(subcommand);
                                    touched.detached.extend(child.map(|child| (child, table)));
                                }
                                Some(Effect::Unlogged) => touched.unlogged.push(table),
                                Some(Effect::Inherit) => touched.inheriting.push(table),
                                Some(Effect::Columns) if !touched.altered.contains(&table) => {
                                    touched.altered.push(table);
                                }
                                _ => {}
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        touched
    }
}

/// The table that an ATTACH PARTITION or DETACH PARTITION names. `None` for that of an index, or if it
/// cannot be found any more.
///
/// # Safety
/// `subcommand` is one of those.
unsafe fn partition_of(subcommand: &pg_sys::CollectedATSubcmd) -> Option<pg_sys::Oid> {
    // PostgreSQL 14 and 15 do not tell.
    let told = subcommand.address.objectId;
    if told != pg_sys::InvalidOid {
        return Some(told);
    }
    // SAFETY: the definition of such a command is a PartitionCmd, which names the partition. Nothing is
    // locked: the command holds its lock.
    let found = unsafe {
        let command = subcommand.parsetree.cast::<pg_sys::AlterTableCmd>();
        let partition = (*command).def.cast::<pg_sys::PartitionCmd>();
        pg_sys::RangeVarGetRelidExtended(
            (*partition).name,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        )
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// What part of an ALTER TABLE does.
enum Effect {
    Attach,
    Detach,
    /// Of columns, or of a key.
    Columns,
    Unlogged,
    Inherit,
}

impl Effect {
    /// # Safety
    /// `command` is null or a node of an ALTER TABLE's commands.
    #[allow(non_upper_case_globals)]
    unsafe fn of(command: *const pg_sys::AlterTableCmd) -> Option<Effect> {
        use pg_sys::AlterTableType::*;
        // SAFETY: the caller's.
        let is_command =
            !command.is_null() && unsafe { (*command).type_ } == pg_sys::NodeTag::T_AlterTableCmd;
        if !is_command {
            return None;
        }
        // SAFETY: as above.
        match unsafe { (*command).subtype } {
            AT_AttachPartition => Some(Effect::Attach),
            AT_DetachPartition | AT_DetachPartitionFinalize => Some(Effect::Detach),
            AT_SetUnLogged => Some(Effect::Unlogged),
            AT_AddInherit => Some(Effect::Inherit),
            AT_AddColumn
            | AT_DropColumn
            | AT_AlterColumnType
            | AT_DropConstraint
            | AT_AddConstraint
            | AT_AddIndex
            | AT_AddIndexConstraint => Some(Effect::Columns),
            other if SET_EXPRESSION == Some(other) => Some(Effect::Columns),
            other => {
                let recursing = [
                    recursing::ADD_COLUMN,
                    recursing::DROP_COLUMN,
                    recursing::DROP_CONSTRAINT,
                ];
                recursing.contains(&Some(other)).then_some(Effect::Columns)
            }
        }
    }
}

/// The column whose values a command made, and how.
///
/// # Safety
/// `command` is null or a node of an ALTER TABLE's commands.
#[allow(non_upper_case_globals)]
unsafe fn values_of(
    relation: pg_sys::Oid,
    command: *const pg_sys::AlterTableCmd,
) -> Option<ColumnValues> {
    use pg_sys::AlterTableType::*;
    // SAFETY: the caller's; commands that add or retype a column define it.
    let (column, made) = unsafe {
        if command.is_null() || (*command).type_ != pg_sys::NodeTag::T_AlterTableCmd {
            return None;
        }
        let definition = (*command).def.cast::<pg_sys::ColumnDef>();
        let is_defined =
            !definition.is_null() && (*definition).type_ == pg_sys::NodeTag::T_ColumnDef;
        match (*command).subtype {
            AT_AlterColumnType if is_defined => {
                let using =
                    !(*definition).raw_default.is_null() || !(*definition).cooked_default.is_null();
                let made = if using {
                    Made::Computed
                } else {
                    Made::Converted
                };
                (text((*command).name), made)
            }
            kind if is_defined && (kind == AT_AddColumn || recursing::ADD_COLUMN == Some(kind)) => {
                let made = if is_filled(definition) {
                    Made::Filled
                } else {
                    Made::Empty
                };
                (text((*definition).colname), made)
            }
            kind if SET_EXPRESSION == Some(kind) => (text((*command).name), Made::Computed),
            _ => return None,
        }
    };
    Some(ColumnValues {
        relation,
        column,
        made,
    })
}

/// Whether the definition of a new column says what is in it.
///
/// # Safety
/// `definition` is a valid node.
unsafe fn is_filled(definition: *const pg_sys::ColumnDef) -> bool {
    use pg_sys::ConstrType::{CONSTR_DEFAULT, CONSTR_GENERATED, CONSTR_IDENTITY};
    // SAFETY: the caller's; each node is of the type that its tag says.
    unsafe {
        let definition = &*definition;
        !definition.raw_default.is_null()
            || !definition.cooked_default.is_null()
            || definition.identity != 0
            || definition.generated != 0
            || nodes(definition.constraints).into_iter().any(|constraint| {
                (*constraint).type_ == pg_sys::NodeTag::T_Constraint
                    && [CONSTR_DEFAULT, CONSTR_GENERATED, CONSTR_IDENTITY]
                        .contains(&(*constraint.cast::<pg_sys::Constraint>()).contype)
            })
    }
}

/// # Safety
/// `text` is a NUL-terminated string.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    // SAFETY: the caller's.
    unsafe { std::ffi::CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// # Safety
/// `statement` is a valid CREATE TABLE or CREATE FOREIGN TABLE, which begins as one.
unsafe fn makes_partition(statement: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's.
    unsafe {
        !(*statement.cast::<pg_sys::CreateStmt>())
            .partbound
            .is_null()
    }
}

/// # Safety
/// `statement` is a valid CREATE TABLE or CREATE FOREIGN TABLE, which begins as one.
unsafe fn inherits(statement: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's. A partition names its table there too.
    unsafe {
        let statement = statement.cast::<pg_sys::CreateStmt>();
        (*statement).partbound.is_null() && !(*statement).inhRelations.is_null()
    }
}

/// # Safety
/// `statement` is a valid node.
unsafe fn renames_column(statement: *const pg_sys::RenameStmt) -> bool {
    // Whatever sort of relation the command names: PostgreSQL does not look. Attributes are those of a type, which
    // tables may be of.
    let of_column = [
        pg_sys::ObjectType::OBJECT_COLUMN,
        pg_sys::ObjectType::OBJECT_ATTRIBUTE,
    ];
    // SAFETY: the caller's.
    of_column.contains(unsafe { &(*statement).renameType })
}

/// # Safety
/// `statement` is a valid node.
unsafe fn note_simple(
    touched: &mut Touched,
    statement: *const pg_sys::Node,
    relation: pg_sys::Oid,
) {
    // SAFETY: the caller's; each node is of the type that its tag says.
    unsafe {
        match (*statement).type_ {
            pg_sys::NodeTag::T_CreateStmt | pg_sys::NodeTag::T_CreateForeignTableStmt
                if makes_partition(statement) =>
            {
                touched.created.push(relation);
            }
            pg_sys::NodeTag::T_CreateStmt | pg_sys::NodeTag::T_CreateForeignTableStmt
                if inherits(statement) =>
            {
                touched.inheriting.push(relation);
            }
            pg_sys::NodeTag::T_RenameStmt if renames_column(statement.cast()) => {
                let statement = statement.cast::<pg_sys::RenameStmt>();
                touched.altered.push(relation);
                touched.columns.push(ColumnChange {
                    relation,
                    old: text((*statement).subname),
                    new: Some(text((*statement).newname)),
                });
            }
            _ => {}
        }
    }
}

/// The members of a list of nodes.
///
/// # Safety
/// `list` is null or a valid list of pointers.
unsafe fn nodes(list: *const pg_sys::List) -> Vec<*const pg_sys::Node> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's.
    unsafe {
        (0..(*list).length)
            .map(|at| {
                (*(*list).elements.add(at as usize))
                    .ptr_value
                    .cast_const()
                    .cast()
            })
            .collect()
    }
}

/// The commands that PostgreSQL has collected for the event trigger that runs.
fn collected() -> Vec<*const pg_sys::CollectedCommand> {
    let mut commands = Vec::new();
    // SAFETY: a query without arguments between connect and finish; the value of type pg_ddl_command is a
    // pointer to what the server keeps beyond this query. An ERROR ends the connection by itself.
    unsafe {
        pg_sys::SPI_connect();
        let query = c"SELECT command FROM pg_catalog.pg_event_trigger_ddl_commands()";
        let result = pg_sys::SPI_execute(query.as_ptr(), true, 0);
        if result == pg_sys::SPI_OK_SELECT as i32 {
            let table = pg_sys::SPI_tuptable;
            for at in 0..pg_sys::SPI_processed as usize {
                let mut null = false;
                let tuple = *(*table).vals.add(at);
                let command = pg_sys::SPI_getbinval(tuple, (*table).tupdesc, 1, &mut null);
                if !null {
                    commands.push(
                        command
                            .cast_mut_ptr::<pg_sys::CollectedCommand>()
                            .cast_const(),
                    );
                }
            }
        }
        pg_sys::SPI_finish();
    }
    commands
}
