//! Output functions see settings; this pins those that may change what they print.

use std::ffi::CStr;
use std::ops::BitOr;

use pgrx::pg_sys;

/// A set of settings, or of groups of them, that the text of a type depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings(u16);

impl Settings {
    /// No setting.
    pub const NONE: Settings = Settings(0);
    /// `DateStyle`: `ISO`.
    pub const DATE_STYLE: Settings = Settings(1);
    /// `IntervalStyle`: `postgres`.
    pub const INTERVAL_STYLE: Settings = Settings(2);
    /// `extra_float_digits`: shortest exact.
    pub const FLOAT_DIGITS: Settings = Settings(4);
    /// `bytea_output`: `hex`.
    pub const BYTEA_OUTPUT: Settings = Settings(8);
    /// `TimeZone`: `UTC`.
    pub const TIME_ZONE: Settings = Settings(16);
    /// `lc_monetary`: `C`.
    pub const MONETARY: Settings = Settings(32);
    /// What decides how object names are qualified and quoted: `search_path`, `quote_all_identifiers`.
    pub const NAMES: Settings = Settings(64);
    /// `client_encoding`: that of the database, in which send functions send text.
    pub const CLIENT_ENCODING: Settings = Settings(128);
    /// All of them, for a type that nothing is known of.
    pub const ALL: Settings = Settings(255);

    fn contains(self, other: Settings) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Settings {
    type Output = Settings;

    fn bitor(self, other: Settings) -> Settings {
        Settings(self.0 | other.0)
    }
}

/// Runs `body` with these settings at the values that texts are hashed under. Costs little where they
/// have them already, as within another call.
#[inline]
pub fn with_pinned<R>(settings: Settings, body: impl FnOnce() -> R) -> R {
    if settings == Settings::NONE {
        return body();
    }
    let mut level = None;
    for pin in PINS.iter().filter(|pin| settings.contains(pin.group)) {
        if !(pin.holds)() {
            // SAFETY: a new nesting level for settings, closed below; should an error pass through,
            // the abort of the (sub)transaction closes it.
            level.get_or_insert_with(|| unsafe { pg_sys::NewGUCNestLevel() });
            set(pin.name, pin.value);
        }
    }
    let result = body();
    if let Some(level) = level {
        // Undone as after an error, so that what a function has set goes as well.
        // SAFETY: closes the level opened above.
        unsafe { pg_sys::AtEOXact_GUC(false, level) };
    }
    result
}

struct Pin {
    group: Settings,
    name: &'static CStr,
    value: &'static CStr,
    holds: fn() -> bool,
}

// SAFETY of the reads in `holds`: backend-wide variables of a single-threaded backend, of the types
// that the bindings give.
static PINS: [Pin; 9] = [
    Pin {
        group: Settings::DATE_STYLE,
        name: c"datestyle",
        value: c"ISO",
        // SAFETY: see above.
        holds: || unsafe { pg_sys::DateStyle } == pg_sys::USE_ISO_DATES as i32,
    },
    Pin {
        group: Settings::INTERVAL_STYLE,
        name: c"intervalstyle",
        value: c"postgres",
        // SAFETY: see above.
        holds: || unsafe { pg_sys::IntervalStyle } == pg_sys::INTSTYLE_POSTGRES as i32,
    },
    Pin {
        group: Settings::FLOAT_DIGITS,
        name: c"extra_float_digits",
        value: c"1",
        // SAFETY: see above. Any positive value means the shortest exact form.
        holds: || unsafe { pg_sys::extra_float_digits } > 0,
    },
    Pin {
        group: Settings::BYTEA_OUTPUT,
        name: c"bytea_output",
        value: c"hex",
        holds: || current(c"bytea_output") == Some(c"hex"),
    },
    Pin {
        group: Settings::TIME_ZONE,
        name: c"timezone",
        value: c"UTC",
        holds: || current(c"timezone") == Some(c"UTC"),
    },
    Pin {
        group: Settings::MONETARY,
        name: c"lc_monetary",
        value: c"C",
        holds: || current(c"lc_monetary") == Some(c"C"),
    },
    Pin {
        group: Settings::NAMES,
        name: c"search_path",
        value: c"pg_catalog",
        holds: || current(c"search_path") == Some(c"pg_catalog"),
    },
    Pin {
        group: Settings::NAMES,
        name: c"quote_all_identifiers",
        value: c"off",
        // SAFETY: see above.
        holds: || unsafe { !pg_sys::quote_all_identifiers },
    },
    Pin {
        group: Settings::CLIENT_ENCODING,
        name: c"client_encoding",
        value: c"UTF8",
        // SAFETY: reads a variable. In a parallel worker, where the setting cannot be changed, it holds.
        holds: || unsafe { pg_sys::pg_get_client_encoding() } == pg_sys::pg_enc::PG_UTF8 as i32,
    },
];

fn current(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a setting's text is a C string that is valid until the setting changes; it is compared
    // at once. Null means an unknown setting.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

fn set(name: &CStr, value: &CStr) {
    // SAFETY: both are C strings; the value is undone when the nesting level closes.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
