//! A set of rows of a table, as a bitmap scan has it.

use std::ops::Range;

use crate::page::Tid;

/// Rows by their TIDs; of some blocks all rows, whichever there are.
///
/// 44 bytes for each block that has single rows, and 36 for each 256 blocks among which are whole ones: what PostgreSQL's own
/// bitmap takes, or less.
#[derive(Debug, Default)]
pub struct TidSet {
    /// Offsets from 1, by block
    rows: Bits<5>,
    /// Blocks, by [`CHUNK`]
    whole: Bits<4>,
    row_count: usize,
    whole_count: usize,
}

/// Blocks of an entry of whole ones.
const CHUNK: u32 = 64 * 4;

/// Bits by ascending keys.
#[derive(Debug, Default)]
struct Bits<const WORDS: usize> {
    keys: Vec<u32>,
    words: Vec<[u64; WORDS]>,
}

impl<const WORDS: usize> Bits<WORDS> {
    /// Sets a bit of the greatest key so far, or of a greater one.
    fn set(&mut self, key: u32, bit: u32) {
        debug_assert!(self.keys.last().is_none_or(|&last| last <= key));
        if self.keys.last() != Some(&key) {
            self.keys.push(key);
            self.words.push([0; WORDS]);
        }
        if let Some(words) = self.words.last_mut() {
            words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    /// Whether a bit of the key at some position is set.
    fn has_at(&self, position: usize, bit: u32) -> bool {
        self.words[position].get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// The keys between that at some position and the one before, both not included.
    fn gap(&self, position: usize) -> Range<u32> {
        let start = position.checked_sub(1).map_or(0, |before| self.keys[before].saturating_add(1));
        start..self.keys.get(position).copied().unwrap_or(u32::MAX)
    }

    /// Moves `position` to a key, or where it would be. Whether it is there.
    #[inline]
    fn find(&self, key: u32, position: &mut usize) -> bool {
        let at = |position: usize| self.keys.get(position).copied();
        if at(*position) == Some(key) {
            return true;
        }
        let is_before = position.checked_sub(1).and_then(at).is_none_or(|before| before < key);
        if !(is_before && at(*position).is_none_or(|after| after > key)) {
            // Keys in order are found at once or a few further on.
            let start = if at(*position).is_some_and(|here| here < key) { *position } else { 0 };
            *position = (start..self.keys.len().min(start + NEAR))
                .find(|&near| self.keys[near] >= key)
                .unwrap_or_else(|| self.keys.partition_point(|&here| here < key));
        }
        at(*position) == Some(key)
    }
}

/// Keys further on that are looked at one after the other.
const NEAR: usize = 8;

impl TidSet {
    /// The largest offset that a row can have: more than fit in PostgreSQL's pages of 8 KiB, 291.
    pub const MAX_OFFSET: u16 = 320;

    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rows of a block. Blocks have to be added in ascending order, each once.
    ///
    /// # Panics
    /// If an offset is 0 or beyond [`Self::MAX_OFFSET`].
    pub fn add_rows(&mut self, block: u32, offsets: &[u16]) {
        for &offset in offsets {
            assert!((1..=Self::MAX_OFFSET).contains(&offset), "offset {offset}");
            self.rows.set(block, u32::from(offset) - 1);
        }
        self.row_count += offsets.len();
    }

    /// Adds all rows of a block, likewise.
    pub fn add_block(&mut self, block: u32) {
        self.whole.set(block / CHUNK, block % CHUNK);
        self.whole_count += 1;
    }

    /// Rows that were added one by one.
    pub fn rows(&self) -> usize {
        self.row_count
    }

    /// Blocks that were added as a whole.
    pub fn whole_blocks(&self) -> usize {
        self.whole_count
    }

    /// The rows that were added one by one, in order.
    pub fn iter_rows(&self) -> impl Iterator<Item = Tid> {
        self.rows.keys.iter().zip(&self.rows.words).flat_map(|(&block, words)| {
            (1..=Self::MAX_OFFSET).filter_map(move |offset| {
                let bit = usize::from(offset) - 1;
                (words[bit / 64] >> (bit % 64) & 1 == 1).then_some(Tid { block, offset })
            })
        })
    }

    /// Looks TIDs up, fast if most are in order.
    pub fn finder(&self) -> Finder<'_> {
        Finder { set: self, row: 0, whole: 0, absent: 0..0 }
    }
}

/// Looks up TIDs in a [`TidSet`].
#[derive(Debug)]
pub struct Finder<'a> {
    set: &'a TidSet,
    /// Where the last block, and the last chunk, was looked for.
    row: usize,
    whole: usize,
    /// Blocks about the last one that was not in the set, and are not either.
    absent: Range<u32>,
}

impl Finder<'_> {
    /// Whether a row is in the set.
    #[inline]
    pub fn has(&mut self, tid: Tid) -> bool {
        !self.absent.contains(&tid.block) && self.look_up(tid)
    }

    fn look_up(&mut self, tid: Tid) -> bool {
        let Some(bit) = tid.offset.checked_sub(1) else { return false };
        let chunk = tid.block / CHUNK;
        let has_rows = self.set.rows.find(tid.block, &mut self.row);
        let has_whole = self.set.whole.find(chunk, &mut self.whole);
        if !has_rows && !has_whole {
            let rows = self.set.rows.gap(self.row);
            let chunks = self.set.whole.gap(self.whole);
            let start = rows.start.max(chunks.start.saturating_mul(CHUNK));
            self.absent = start..rows.end.min(chunks.end.saturating_mul(CHUNK));
        }
        has_rows && self.set.rows.has_at(self.row, u32::from(bit))
            || has_whole
                && tid.offset <= TidSet::MAX_OFFSET
                && self.set.whole.has_at(self.whole, tid.block % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_set_has_nothing() {
        let set = TidSet::new();
        assert!(!set.finder().has(Tid { block: 0, offset: 1 }));
        assert_eq!(set.iter_rows().count(), 0);
    }

    #[test]
    fn a_whole_block_has_every_offset_but_those_that_no_row_has() {
        let mut set = TidSet::new();
        set.add_block(7);
        let mut finder = set.finder();
        assert!(finder.has(Tid { block: 7, offset: 1 }) && finder.has(Tid { block: 7, offset: 291 }));
        assert!(!finder.has(Tid { block: 7, offset: 0 }) && !finder.has(Tid { block: 7, offset: u16::MAX }));
        assert!(!finder.has(Tid { block: 6, offset: 1 }) && !finder.has(Tid { block: 8, offset: 1 }));
        assert_eq!((set.rows(), set.whole_blocks()), (0, 1));
    }

    #[test]
    #[should_panic(expected = "offset 0")]
    fn offset_0_is_none() {
        TidSet::new().add_rows(0, &[0]);
    }

    proptest! {
        #[test]
        fn a_set_has_what_was_added_whatever_the_order_of_the_questions(
            rows in prop::collection::btree_set((0u32..60, 1u16..=TidSet::MAX_OFFSET), 0..300),
            whole in prop::collection::btree_set(0u32..60, 0..5),
            scale in prop_oneof![Just(1u32), Just(37), Just(70_000_000)],
            questions in prop::collection::vec((0u32..62, 0u16..400), 0..300),
            sorted in any::<bool>(),
        ) {
            // Near each other, and as far as there can be.
            let rows: BTreeSet<(u32, u16)> = rows.into_iter().map(|(block, offset)| (block * scale, offset)).collect();
            let whole: BTreeSet<u32> = whole.into_iter().map(|block| block * scale).collect();
            let mut set = TidSet::new();
            let blocks: BTreeSet<u32> = rows.iter().map(|row| row.0).chain(whole.iter().copied()).collect();
            for &block in &blocks {
                if whole.contains(&block) {
                    set.add_block(block);
                } else {
                    let offsets: Vec<u16> = rows.iter().filter(|row| row.0 == block).map(|row| row.1).collect();
                    set.add_rows(block, &offsets);
                }
            }
            let expected = |block: u32, offset: u16| {
                (whole.contains(&block) && (1..=TidSet::MAX_OFFSET).contains(&offset))
                    || (!whole.contains(&block) && rows.contains(&(block, offset)))
            };
            let mut questions: Vec<(u32, u16)> =
                questions.into_iter().map(|(block, offset)| (block.saturating_mul(scale), offset)).collect();
            if sorted {
                questions.sort_unstable();
            }
            let mut finder = set.finder();
            for (block, offset) in questions {
                prop_assert_eq!(finder.has(Tid { block, offset }), expected(block, offset), "({}, {})", block, offset);
            }
            let singles: Vec<(u32, u16)> = set.iter_rows().map(|tid| (tid.block, tid.offset)).collect();
            let expected: Vec<(u32, u16)> = rows.into_iter().filter(|row| !whole.contains(&row.0)).collect();
            prop_assert_eq!(set.rows(), expected.len());
            prop_assert_eq!(singles, expected);
            prop_assert_eq!(set.whole_blocks(), whole.len());
        }
    }
}
