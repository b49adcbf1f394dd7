//! Values of variable length within others.

/// The content of a varlena that lies, plain, at the beginning of `bytes`; `None` if there is none.
#[inline]
pub fn embedded_content(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let short = if cfg!(target_endian = "big") {
        first & 0x80 != 0
    } else {
        first & 1 != 0
    };
    if short {
        let size = if cfg!(target_endian = "big") {
            first & 0x7f
        } else {
            first >> 1
        };
        return bytes.get(1..usize::from(size));
    }
    let header = u32::from_ne_bytes(*bytes.first_chunk()?);
    let (size, flags) = if cfg!(target_endian = "big") {
        (header & 0x3fff_ffff, header >> 30)
    } else {
        (header >> 2, header & 3)
    };
    if flags != 0 {
        return None;
    }
    bytes.get(4..size as usize)
}
