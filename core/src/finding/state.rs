//! Layer `state`: the extension's own objects, in `verify_all()`.

super::kinds! {
    /// What can be wrong with the extension's own objects.
    StateKind in State {
        StateAltered = Critical "state_altered":
            "An object of the extension is not as a fresh installation has it, or a row of its tables is not as the chain records.",
            "Undo what the detail names, and find out who altered it; restore altered rows from a backup.";
    }
}
