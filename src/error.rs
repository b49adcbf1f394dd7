//! What can go wrong by the user's doing, and the one table that maps it to SQLSTATEs.
//!
//! XX000 (internal error) is for our own bugs and stands nowhere here.

use pgrx::prelude::*;

/// A failure class. Each has its own SQLSTATE in [`Failure::sqlstate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A chain that does not exist was named.
    UnknownChain,
    /// A chain of that name exists already.
    DuplicateChain,
    /// A value outside its documented range or form.
    InvalidValue,
    /// A trigger argument, or its value, is not understood.
    InvalidTriggerArgument,
    /// The trigger function was called or attached where it cannot work.
    TriggerProtocol,
    /// A table that no trigger of ours is, or was, on.
    NotAudited,
    /// No table of that oid, or not any more.
    UnknownTable,
    /// A view, partition, catalog or the like was to be audited, or holds rows.
    NotAuditable,
    /// A table of a sort that cannot be audited soundly.
    UnsupportedTable,
    /// A partition is about to leave.
    PartitionPending,
    /// Another table is audited under that kind.
    KindTaken,
    /// A kind is recorded as that of a table that was not detached.
    KindStillRecorded,
    /// A kind was to be closed whose table is audited.
    KindInUse,
    /// The extension was to be dropped by somebody else than its owner.
    NotTheOwner,
    /// The extension was to be dropped while changes are still to be recorded.
    ChangesPending,
    /// A table whose policy is append-only was to be changed.
    TableIsAppendOnly,
    /// The audit trigger of a table is disabled, or has changed meanwhile.
    TriggerDisabled,
    /// A procedure that commits was called where it cannot.
    CannotCommit,
    /// Another session does the same already.
    AlreadyRunning,
    /// Rows are not as they were recorded, or not audited as declared.
    NotInOrder,
    /// Row security would hide rows.
    RowSecurity,
    /// A key column's type has no order.
    UnorderedKey,
    /// Rows are there although their latest entries say that they are gone.
    RowGone,
    /// A table has no primary key and the trigger names no `pk=` columns.
    NoPrimaryKey,
    /// A column that the trigger names does not exist.
    UnknownColumn,
    /// A value that names a row or chain is null.
    NullKey,
    /// The state tables are not as the extension created them.
    BrokenInstallation,
    /// The database's encoding is not UTF8.
    UnsupportedEncoding,
    /// No lane became free within `auditspine.lane_timeout`.
    LaneTimeout,
    /// `auditspine.publish_file` is not set.
    NoPublishFile,
    /// Heads are to be published while this transaction has entries of its own.
    OwnEntries,
    /// What has to see the latest state was called in a transaction that keeps its first snapshot.
    KeptSnapshot,
    /// A role that can change anything is to be an auditor.
    NotAnAuditor,
    /// The caller may not grant what an auditor needs.
    CannotGrant,
    /// A role that may not see all chains, or none, asks for more.
    NoSight,
    /// A role does not exist.
    UnknownRole,
    /// A table has no chain of the older shape in it.
    NotAChain,
    /// A chain of the older shape was not adopted.
    NotAdopted,
    /// A column has a type that it cannot have.
    ColumnType,
    /// Row-level security may hide rows that are to be verified.
    RowsHidden,
    /// Something that is to be a file is something else.
    NotAFile,
    /// A file or its folder does not exist.
    FileNotFound,
    /// A file could not be read or written.
    FileError,
    /// There is no room left on a disk.
    DiskFull,
    /// A state table does not hold what was written to it.
    NotAsWritten,
    /// A state table was written directly.
    StateIsAppendOnly,
    /// Text that is not JSON.
    InvalidJson,
    /// A JSON object repeats a name.
    DuplicateJsonName,
    /// A number beyond what PostgreSQL's `numeric` holds.
    NumberOutOfRange,
    /// A null array element or argument where a value is needed.
    NullElement,
    /// A row has two columns of one name.
    DuplicateColumn,
    /// Canonical text that is larger than a value may be.
    ResultTooLarge,
    /// A stored binary value is not as its type says.
    CorruptedData,
    /// A part of an aggregate was called by itself.
    AggregateProtocol,
    /// A text is no public key that can be used.
    InvalidKey,
    /// No key of that fingerprint is, or was, trusted.
    UnknownKey,
    /// A key that was revoked is to be trusted again.
    KeyWasRevoked,
    /// No spine of that id is, or was, there.
    UnknownSpine,
    /// A segment of a spine does not continue the one before.
    BrokenLink,
    /// A spine's root is not that of its segments.
    WrongRoot,
    /// A spine's id is not that of its decision.
    WrongSpineId,
    /// A spine that was superseded was to be superseded again.
    AlreadySuperseded,
    /// A spine was to be superseded by one of another decision.
    OtherDecision,
    /// A spine was to be superseded by one that it supersedes.
    SupersessionCycle,
    /// Some of the tables that are to be created are there.
    PartlyThere,
    /// Others have functions of our names beside ours.
    ForeignFunction,
    /// Code of others would run with rights that they lack.
    ForeignCode,
    /// No blueprint of that name.
    UnknownBlueprint,
    /// A schema does not exist.
    UnknownSchema,
    /// A spine of the same root says something else.
    SpineDiffers,
    /// Another transaction changed what is current.
    DecisionChanged,
    /// JSON that should be an array is none.
    NotAnArray,
    /// JSON that should be an object is none.
    NotAnObject,
    /// JSON that should be a string is none.
    NotAString,
    /// A JSON object lacks a member.
    MissingMember,
    /// A JSON object has a member that is not known.
    UnknownMember,
    /// A DSSE envelope that cannot be read.
    InvalidEnvelope,
}

impl Failure {
    fn sqlstate(self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Failure::UnknownChain | Failure::NotAudited => ERRCODE_UNDEFINED_OBJECT,
            Failure::DuplicateChain => ERRCODE_DUPLICATE_OBJECT,
            Failure::InvalidValue | Failure::InvalidTriggerArgument => {
                ERRCODE_INVALID_PARAMETER_VALUE
            }
            Failure::TriggerProtocol => ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            Failure::UnknownTable => ERRCODE_UNDEFINED_TABLE,
            Failure::NotAuditable => ERRCODE_WRONG_OBJECT_TYPE,
            Failure::UnsupportedTable => ERRCODE_FEATURE_NOT_SUPPORTED,
            Failure::PartitionPending => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::KindTaken => ERRCODE_DUPLICATE_OBJECT,
            Failure::KindStillRecorded => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::KindInUse | Failure::ChangesPending => ERRCODE_OBJECT_IN_USE,
            Failure::TableIsAppendOnly => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::TriggerDisabled | Failure::RowGone => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::CannotCommit => ERRCODE_INVALID_TRANSACTION_TERMINATION,
            Failure::AlreadyRunning => ERRCODE_LOCK_NOT_AVAILABLE,
            Failure::NotInOrder => ERRCODE_RESTRICT_VIOLATION,
            Failure::RowSecurity => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::UnorderedKey => ERRCODE_UNDEFINED_FUNCTION,
            Failure::NoPrimaryKey => ERRCODE_INVALID_TABLE_DEFINITION,
            Failure::UnknownColumn => ERRCODE_UNDEFINED_COLUMN,
            Failure::NullKey => ERRCODE_NOT_NULL_VIOLATION,
            Failure::BrokenInstallation => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::UnsupportedEncoding => ERRCODE_FEATURE_NOT_SUPPORTED,
            Failure::LaneTimeout => ERRCODE_LOCK_NOT_AVAILABLE,
            Failure::NoPublishFile => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::OwnEntries | Failure::KeptSnapshot => ERRCODE_ACTIVE_SQL_TRANSACTION,
            Failure::NotAnAuditor => ERRCODE_INVALID_GRANT_OPERATION,
            Failure::CannotGrant | Failure::NotTheOwner => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::UnknownRole | Failure::UnknownBlueprint => ERRCODE_UNDEFINED_OBJECT,
            Failure::NoSight => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::NotAChain => ERRCODE_DATA_EXCEPTION,
            Failure::NotAdopted => ERRCODE_UNDEFINED_OBJECT,
            Failure::ColumnType => ERRCODE_DATATYPE_MISMATCH,
            Failure::RowsHidden => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::NotAFile => ERRCODE_WRONG_OBJECT_TYPE,
            Failure::FileNotFound => ERRCODE_UNDEFINED_FILE,
            Failure::FileError => ERRCODE_IO_ERROR,
            Failure::DiskFull => ERRCODE_DISK_FULL,
            Failure::NotAsWritten => ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION,
            Failure::StateIsAppendOnly => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::InvalidJson => ERRCODE_INVALID_JSON_TEXT,
            Failure::DuplicateJsonName => ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE,
            Failure::NumberOutOfRange => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Failure::NullElement => ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Failure::DuplicateColumn => ERRCODE_DUPLICATE_COLUMN,
            Failure::ResultTooLarge => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Failure::AggregateProtocol => ERRCODE_FEATURE_NOT_SUPPORTED,
            Failure::CorruptedData => ERRCODE_DATA_CORRUPTED,
            Failure::InvalidKey => ERRCODE_INVALID_PARAMETER_VALUE,
            Failure::UnknownKey | Failure::UnknownSpine => ERRCODE_UNDEFINED_OBJECT,
            Failure::KeyWasRevoked => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::BrokenLink
            | Failure::WrongRoot
            | Failure::WrongSpineId
            | Failure::OtherDecision
            | Failure::SupersessionCycle => ERRCODE_CHECK_VIOLATION,
            Failure::AlreadySuperseded => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Failure::PartlyThere => ERRCODE_DUPLICATE_TABLE,
            Failure::ForeignCode => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Failure::ForeignFunction => ERRCODE_AMBIGUOUS_FUNCTION,
            Failure::UnknownSchema => ERRCODE_INVALID_SCHEMA_NAME,
            Failure::SpineDiffers => ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
            Failure::DecisionChanged => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Failure::NotAnArray => ERRCODE_SQL_JSON_ARRAY_NOT_FOUND,
            Failure::NotAnObject => ERRCODE_SQL_JSON_OBJECT_NOT_FOUND,
            Failure::NotAString => ERRCODE_SQL_JSON_SCALAR_REQUIRED,
            Failure::MissingMember => ERRCODE_SQL_JSON_MEMBER_NOT_FOUND,
            Failure::UnknownMember => ERRCODE_TOO_MANY_JSON_OBJECT_MEMBERS,
            Failure::InvalidEnvelope => ERRCODE_DATA_EXCEPTION,
        }
    }

    /// Raises the failure as a PostgreSQL ERROR. `message` carries the offending value, `hint` what
    /// to do about it.
    pub fn raise(self, message: impl Into<String>, hint: impl Into<String>) -> ! {
        pgrx::pg_sys::panic::ErrorReport::new(self.sqlstate(), message.into(), "auditspine")
            .set_hint(hint.into())
            .report(PgLogLevel::ERROR);
        unreachable!("reporting at ERROR level does not return")
    }

    /// Tells the user of the failure as a WARNING; the work goes on.
    pub fn warn(
        self,
        message: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) {
        pgrx::pg_sys::panic::ErrorReport::new(self.sqlstate(), message.into(), "auditspine")
            .set_detail(detail.into())
            .set_hint(hint.into())
            .report(PgLogLevel::WARNING);
    }
}

/// Raises the error for state that somebody has altered.
pub fn broken(message: String) -> ! {
    Failure::BrokenInstallation.raise(
        message,
        "restore the extension's tables as sql/schema.sql creates them, or reinstall the extension",
    )
}
