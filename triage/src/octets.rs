//! Numbers at places of foreign bytes: `None` beyond their end.

/// Two bytes, the lowest first.
pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(array(bytes, at)?))
}

/// Four bytes, the lowest first.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(array(bytes, at)?))
}

/// Eight bytes, the lowest first.
pub(crate) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(array(bytes, at)?))
}

/// Four bytes, the highest first.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(array(bytes, at)?))
}

/// Eight bytes, the highest first.
pub(crate) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(array(bytes, at)?))
}

/// As many bytes, or none of them.
pub(crate) fn slice(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// Whether these bytes stand there.
pub(crate) fn starts_at(bytes: &[u8], at: usize, wanted: &[u8]) -> bool {
    slice(bytes, at, wanted.len()) == Some(wanted)
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> Box<str> {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

/// Bits of entropy of each byte.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    entropy_of(&[bytes])
}

/// The same of parts one behind the other.
pub(crate) fn entropy_of(parts: &[&[u8]]) -> f64 {
    let mut counts = [0_u64; 256];
    for byte in parts.iter().copied().flatten() {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = parts.iter().map(|part| part.len()).sum::<usize>() as f64;
    let share = |count: &u64| *count as f64 / total;
    let bits = counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2());
    // Two digits are shown, and compared.
    (bits.sum::<f64>().abs() * 100.0).round() / 100.0
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    slice(bytes, at, N)?.try_into().ok()
}
