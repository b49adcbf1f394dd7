//! How many names can be those of rows, where of a row only the epochs are known that its name may be of.

use std::collections::VecDeque;

/// Rows that may have had names, alike by number.
#[derive(Default)]
pub(super) struct Matching(Vec<Bearers>);

struct Bearers {
    epochs: Vec<usize>,
    count: u64,
    /// Whether their names may be ones whose rows were taken away since.
    also_taken_away: bool,
}

impl Matching {
    /// Adds rows that may each have had a name of one of these epochs.
    pub fn add(&mut self, epochs: Vec<usize>, count: u64, also_taken_away: bool) {
        if count > 0 {
            self.0.push(Bearers {
                epochs,
                count,
                also_taken_away,
            });
        }
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|bearers| bearers.count).sum()
    }

    /// Whether a row may have had a name of an epoch.
    pub fn may_have(&self, epoch: usize) -> bool {
        self.0.iter().any(|bearers| bearers.epochs.contains(&epoch))
    }

    /// How many rows can have a name at most: of these, by epoch, or of those that were taken away. The
    /// largest flow, by Edmonds and Karp.
    pub fn largest(&self, wanted: &[u64], taken_away: &[u64]) -> u64 {
        let mut free: Vec<u64> = wanted.iter().chain(taken_away).copied().collect();
        let reaches = |bearers: &Bearers| -> Vec<usize> {
            let more = bearers.epochs.iter().filter(|_| bearers.also_taken_away);
            let more = more.map(|epoch| epoch + wanted.len());
            bearers.epochs.iter().copied().chain(more).collect()
        };
        let reaches: Vec<Vec<usize>> = self.0.iter().map(reaches).collect();
        let mut given = vec![vec![0u64; free.len()]; self.0.len()];
        let mut total = 0;
        for (start, bearers) in self.0.iter().enumerate() {
            let mut left = bearers.count;
            while left > 0 {
                let Some(path) = path(start, &reaches, &given, &free) else {
                    break;
                };
                let (mut most, mut at) = (left, start);
                for (names, next) in &path {
                    most = match next {
                        Some(next) => most.min(given[*next][*names]),
                        None => most.min(free[*names]),
                    };
                }
                for (names, next) in path {
                    given[at][names] += most;
                    match next {
                        Some(next) => {
                            given[next][names] -= most;
                            at = next;
                        }
                        None => free[names] -= most,
                    }
                }
                left -= most;
                total += most;
            }
        }
        total
    }
}

/// The shortest way to names that are free: names, and who is to give them up, step by step.
fn path(
    start: usize,
    reaches: &[Vec<usize>],
    given: &[Vec<u64>],
    free: &[u64],
) -> Option<Vec<(usize, Option<usize>)>> {
    let mut from: Vec<Option<(usize, usize)>> = vec![None; reaches.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for names in &reaches[at] {
            if free[*names] > 0 {
                let mut path = vec![(*names, None)];
                let mut here = at;
                while let Some((before, names)) = from[here] {
                    path.push((names, Some(here)));
                    here = before;
                }
                path.reverse();
                return Some(path);
            }
            for other in 0..reaches.len() {
                if other != start && from[other].is_none() && given[other][*names] > 0 {
                    from[other] = Some((at, *names));
                    queue.push_back(other);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Matching;

    #[test]
    fn rows_make_room_for_others() {
        let mut rows = Matching::default();
        rows.add(vec![0, 1], 3, false);
        rows.add(vec![0], 2, false);
        rows.add(vec![1, 2], 2, true);
        assert_eq!(rows.count(), 7);
        assert_eq!(rows.largest(&[3, 2, 0], &[0, 0, 0]), 5);
        assert_eq!(rows.largest(&[3, 2, 0], &[5, 0, 1]), 6);
        assert_eq!(rows.largest(&[2, 3, 2], &[0, 0, 0]), 7);
        assert_eq!(rows.largest(&[9, 0, 0], &[0, 0, 0]), 5);
        assert!(rows.may_have(2) && !rows.may_have(3));
        assert_eq!(Matching::default().largest(&[1], &[0]), 0);
    }
}
