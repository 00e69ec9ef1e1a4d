//! Which of the due entries a round of the relay looks at.

/// Every other round looks at what is due longest. While caps or holds keep something back, those between walk through
/// all the rest, page by page, so that nothing waits behind what cannot go.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Organizations of a page, and entries of each.
    page_tenants: usize,
    page_entries: usize,
    /// Pages of entries that are looked at of one organization.
    depth_max: usize,
    is_walking: bool,
    some_stay: bool,
    /// Where the walk stands.
    page: usize,
    depth: usize,
    /// Pages of organizations, as counted on the way along their first entries.
    pages: usize,
    saw_any_so_deep: bool,
}

impl Walk {
    pub(crate) fn new(page_tenants: usize, page_entries: usize, depth_max: usize) -> Self {
        Self {
            page_tenants,
            page_entries,
            depth_max,
            is_walking: false,
            some_stay: false,
            page: 0,
            depth: 0,
            pages: 1,
            saw_any_so_deep: false,
        }
    }

    /// How many organizations, and entries of each, the next round passes over.
    pub(crate) fn next(&mut self) -> (usize, usize) {
        self.is_walking = self.some_stay && !self.is_walking;
        if self.is_walking { (self.page * self.page_tenants, self.depth * self.page_entries) } else { (0, 0) }
    }

    /// The round saw entries of so many organizations; some of them had to stay.
    pub(crate) fn saw(&mut self, tenants: usize, some_stay: bool) {
        let is_full = tenants >= self.page_tenants;
        if !self.is_walking {
            self.some_stay = some_stay || is_full;
            return;
        }
        self.saw_any_so_deep |= tenants > 0;
        if self.depth == 0 {
            self.pages = self.page + 1 + usize::from(is_full);
        }
        if self.page + 1 < self.pages {
            self.page += 1;
        } else {
            self.page = 0;
            let goes_deeper = self.saw_any_so_deep && self.depth + 1 < self.depth_max;
            self.depth = if goes_deeper { self.depth + 1 } else { 0 };
            self.saw_any_so_deep = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks over organizations with so many entries each, of which none can go, and returns what was looked at.
    fn looked_at(entries: &[usize], rounds: usize) -> Vec<(usize, usize)> {
        let mut walk = Walk::new(2, 3, 100);
        (0..rounds)
            .map(|_| {
                let (tenants, depth) = walk.next();
                let page = entries.iter().skip(tenants).take(2);
                walk.saw(page.filter(|entries| **entries > depth).count(), true);
                (tenants, depth)
            })
            .collect()
    }

    #[test]
    fn what_is_due_longest_is_looked_at_every_other_round_and_all_else_in_time() {
        let seen = looked_at(&[1, 4, 2, 8, 3], 40);
        assert!(seen.iter().step_by(2).all(|place| *place == (0, 0)));
        for place in [(2, 0), (4, 0), (0, 3), (2, 3), (2, 6)] {
            assert!(seen.contains(&place), "{place:?} in {seen:?}");
        }
    }

    #[test]
    fn while_nothing_has_to_stay_only_the_front_is_looked_at() {
        let mut walk = Walk::new(2, 3, 100);
        for _ in 0..10 {
            assert_eq!(walk.next(), (0, 0));
            walk.saw(1, false);
        }
    }
}
