//! Where published heads go. A sink is one place that lines are appended to; the first kind of sink is the file,
//! in file.rs. All sinks are opened and locked before any is written.

use crate::error::Failure;

/// A place for published heads.
pub trait Sink {
    /// Its name, as the record of a publication has it.
    fn name(&self) -> String;

    /// What messages call it.
    fn described(&self) -> String;

    /// Opens it, and examines whether lines can be appended.
    fn open(&self) -> Result<Box<dyn OpenSink + '_>, SinkError>;

    /// That it is the same place as an earlier one of the list.
    fn is_same_as(&self, earlier: &dyn Sink) -> SinkError;
}

/// A sink that is open.
pub trait OpenSink {
    /// Tells the place from all others, whatever its name.
    fn identity(&self) -> Identity;

    /// Locks it until it is dropped. Calls `wait`, again and again, while another process has it locked.
    fn lock(&self, wait: &mut dyn FnMut()) -> Result<(), SinkError>;

    /// Appends whole lines. They are durable when this returns.
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError>;
}

/// What tells a place from all others. Sinks are locked in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// Device and inode.
    File(u64, u64),
}

/// Why lines could not be appended, as the user is told.
#[derive(Debug)]
pub struct SinkError {
    /// Its class.
    pub failure: Failure,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

/// Appends `lines` (whole lines) to each of the sinks. `wait` is called, again and again, with the sink that
/// another process has locked. If one fails, those before it keep what they got.
pub fn append_to_all(
    sinks: &[Box<dyn Sink>],
    lines: &[u8],
    wait: &mut dyn FnMut(&dyn Sink),
) -> Result<(), SinkError> {
    let mut open: Vec<(&dyn Sink, Identity, Box<dyn OpenSink + '_>)> =
        Vec::with_capacity(sinks.len());
    for sink in sinks {
        let opened = sink.open()?;
        let identity = opened.identity();
        if let Some((earlier, ..)) = open.iter().find(|(_, its, _)| *its == identity) {
            return Err(sink.is_same_as(*earlier));
        }
        open.push((&**sink, identity, opened));
    }
    // In one order everywhere, however others list the same sinks: else two could wait for one another.
    let mut in_order: Vec<_> = open.iter().collect();
    in_order.sort_by_key(|(_, identity, _)| *identity);
    for (sink, _, opened) in in_order {
        opened.lock(&mut || wait(*sink))?;
    }
    for (_, _, opened) in &mut open {
        opened.append(lines)?;
    }
    Ok(())
}
