//! A set of rows, one bit each.

/// Which of a call's rows something holds for.
///
/// Rules are evaluated a column at a time into masks and then combined a word at a time, which is why a check costs a few
/// nanoseconds a row however many rules there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    words: Vec<u64>,
    len: usize,
}

impl Mask {
    /// No row of `len`.
    #[must_use]
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// Every row of `len`.
    #[must_use]
    pub fn all(len: usize) -> Self {
        let mut mask = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        mask.trim();
        mask
    }

    /// Row `i` of `len` if the `i`th item is true; rows beyond the last item are out.
    #[must_use]
    pub fn collect(len: usize, rows: impl IntoIterator<Item = bool>) -> Self {
        let mut mask = Self::none(len);
        let mut rows = rows.into_iter();
        for word in &mut mask.words {
            for (bit, row) in (0..64).zip(rows.by_ref()) {
                *word |= u64::from(row) << bit;
            }
        }
        mask.trim();
        mask
    }

    /// How many rows there are, in or out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether `row` is in; false beyond the last row.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The rows of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine & theirs);
        self
    }

    /// The rows of either.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine | theirs);
        self
    }

    /// The rows of this one that are not in `other`.
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine & !theirs);
        self
    }

    /// The rows that are in, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    index * 64 + bit
                })
            })
        })
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        // A word that the other mask lacks counts as empty.
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        for (mine, theirs) in self.words.iter_mut().zip(others) {
            *mine = with(*mine, theirs);
        }
        self.trim();
    }

    /// INVARIANT: bits beyond `len` are zero.
    fn trim(&mut self) {
        let used = self.len % 64;
        if let (Some(last), true) = (self.words.last_mut(), used != 0) {
            *last &= (1 << used) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn combines_across_word_boundaries() {
        for len in [0, 1, 63, 64, 65, 130] {
            let even = Mask::collect(len, (0..len).map(|row| row % 2 == 0));
            let third = Mask::collect(len, (0..len).map(|row| row % 3 == 0));
            let rows = |mask: Mask| mask.rows().collect::<Vec<_>>();
            let expect = |keep: fn(usize) -> bool| (0..len).filter(|row| keep(*row)).collect::<Vec<_>>();
            assert_eq!(rows(even.clone().and(&third)), expect(|row| row % 6 == 0));
            assert_eq!(rows(even.clone().or(&third)), expect(|row| row % 2 == 0 || row % 3 == 0));
            assert_eq!(rows(even.clone().minus(&third)), expect(|row| row % 2 == 0 && row % 3 != 0));
            assert_eq!(rows(Mask::all(len)).len(), len);
            assert!(!Mask::all(len).contains(len));
        }
    }

    #[test]
    fn a_shorter_mask_counts_as_empty_beyond_its_end() {
        assert_eq!(Mask::all(70).and(&Mask::all(3)).rows().count(), 3);
        assert_eq!(Mask::all(3).or(&Mask::all(70)).rows().count(), 3);
    }
}
