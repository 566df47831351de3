//! A set of rows of a table, as a bitmap scan has it.

use crate::page::Tid;

/// Rows by their TIDs; of some blocks all rows, whichever there are.
///
/// 44 bytes for each block that has any.
#[derive(Debug, Default)]
pub struct TidSet {
    /// Ascending
    blocks: Vec<u32>,
    offsets: Vec<[u64; WORDS]>,
    rows: usize,
    whole_blocks: usize,
}

/// 64-bit words with a bit for each offset from 1.
const WORDS: usize = TidSet::MAX_OFFSET as usize / 64;

impl TidSet {
    /// The largest offset that a row can have: more than fit in PostgreSQL's pages of 8 KiB, 291.
    pub const MAX_OFFSET: u16 = 320;

    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rows of a block. Blocks have to be added in ascending order.
    ///
    /// # Panics
    /// If an offset is 0 or beyond [`Self::MAX_OFFSET`].
    pub fn add_rows(&mut self, block: u32, offsets: &[u16]) {
        let mut words = [0; WORDS];
        for &offset in offsets {
            assert!((1..=Self::MAX_OFFSET).contains(&offset), "offset {offset}");
            let bit = usize::from(offset) - 1;
            words[bit / 64] |= 1 << (bit % 64);
        }
        self.add(block, words);
        self.rows += offsets.len();
    }

    /// Adds all rows of a block, likewise.
    pub fn add_block(&mut self, block: u32) {
        self.add(block, [u64::MAX; WORDS]);
        self.whole_blocks += 1;
    }

    fn add(&mut self, block: u32, words: [u64; WORDS]) {
        debug_assert!(self.blocks.last().is_none_or(|&last| last < block));
        self.blocks.push(block);
        self.offsets.push(words);
    }

    /// Rows that were added one by one.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Blocks that were added as a whole.
    pub fn whole_blocks(&self) -> usize {
        self.whole_blocks
    }

    /// All TIDs in order; of whole blocks every one that a row could have.
    pub fn iter(&self) -> impl Iterator<Item = Tid> {
        self.blocks.iter().zip(&self.offsets).flat_map(|(&block, words)| {
            (1..=Self::MAX_OFFSET)
                .filter(|&offset| has(words, offset))
                .map(move |offset| Tid { block, offset })
        })
    }

    /// Looks TIDs up, fast if most are in order.
    pub fn finder(&self) -> Finder<'_> {
        Finder { set: self, position: 0 }
    }
}

/// Blocks further on that are looked at one after the other.
const NEAR: usize = 8;

fn has(words: &[u64; WORDS], offset: u16) -> bool {
    let bit = usize::from(offset).wrapping_sub(1);
    words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

/// Looks up TIDs in a [`TidSet`].
#[derive(Debug)]
pub struct Finder<'a> {
    set: &'a TidSet,
    /// Where the last block was found, or would have been.
    position: usize,
}

impl Finder<'_> {
    /// Whether a row is in the set.
    #[inline]
    pub fn has(&mut self, tid: Tid) -> bool {
        let blocks = &self.set.blocks;
        let is_at = |position: usize| blocks.get(position).is_some_and(|&block| block == tid.block);
        if !is_at(self.position) {
            // In a table's order the next block, or one between two.
            let is_between = blocks.get(self.position).is_none_or(|&block| block > tid.block)
                && self.position.checked_sub(1).is_none_or(|before| blocks[before] < tid.block);
            if is_between {
                return false;
            }
            let start = if blocks.get(self.position).is_some_and(|&block| block < tid.block) {
                self.position
            } else {
                0
            };
            // Blocks in order are found at once or a few further on.
            self.position = (start..blocks.len().min(start + NEAR))
                .find(|&position| blocks[position] >= tid.block)
                .unwrap_or_else(|| blocks.partition_point(|&block| block < tid.block));
            if !is_at(self.position) {
                return false;
            }
        }
        has(&self.set.offsets[self.position], tid.offset)
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
        assert_eq!(set.iter().count(), 0);
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
            questions in prop::collection::vec((0u32..62, 0u16..400), 0..300),
            sorted in any::<bool>(),
        ) {
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
            let mut questions = questions;
            if sorted {
                questions.sort_unstable();
            }
            let mut finder = set.finder();
            for (block, offset) in questions {
                prop_assert_eq!(finder.has(Tid { block, offset }), expected(block, offset), "({}, {})", block, offset);
            }
            let all: Vec<Tid> = set.iter().collect();
            prop_assert!(all.is_sorted() && all.iter().all(|tid| expected(tid.block, tid.offset)));
            prop_assert_eq!(all.len(), set.rows() + set.whole_blocks() * usize::from(TidSet::MAX_OFFSET));
        }
    }
}
