use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Groups,
    /// The partitions of the group that is selected.
    Partitions,
    Topics,
    /// What services do in their workers.
    Workers,
    /// What functions do in an emulator of Lambda.
    Functions,
}

/// Where somebody looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) view: View,
    /// What is seen is explained instead.
    pub(crate) is_help: bool,
    /// The rows that are selected.
    pub(crate) group: usize,
    pub(crate) partition: usize,
    pub(crate) topic: usize,
    pub(crate) worker: usize,
    pub(crate) function: usize,
}

/// How many rows there are of each, and how many a screen shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) groups: usize,
    pub(crate) partitions: usize,
    pub(crate) topics: usize,
    pub(crate) workers: usize,
    pub(crate) functions: usize,
    pub(crate) page: usize,
}

/// What comes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Quit,
    Interrupted,
}

impl Place {
    pub(crate) fn press(&mut self, key: KeyEvent, rows: Rows) -> Next {
        let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
        match key.code {
            _ if is_interrupt => return Next::Interrupted,
            KeyCode::Char('q') => return Next::Quit,
            // Whatever is pressed, somebody has read the help.
            _ if self.is_help => self.is_help = false,
            KeyCode::Char('?') => self.is_help = true,
            KeyCode::Enter if self.view == View::Groups && rows.groups > 0 => {
                (self.view, self.partition) = (View::Partitions, 0);
            }
            KeyCode::Char('t') => self.view = View::Topics,
            KeyCode::Char('w') => self.view = View::Workers,
            KeyCode::Char('l') => self.view = View::Functions,
            KeyCode::Char('g') | KeyCode::Esc => self.view = View::Groups,
            KeyCode::Up | KeyCode::Char('k') => self.select(rows, |row| row.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select(rows, |row| row + 1),
            KeyCode::PageUp => self.select(rows, |row| row.saturating_sub(rows.page)),
            KeyCode::PageDown => self.select(rows, |row| row + rows.page),
            KeyCode::Home => self.select(rows, |_| 0),
            KeyCode::End => self.select(rows, |_| usize::MAX),
            _ => {}
        }
        Next::GoOn
    }

    fn select(&mut self, rows: Rows, choose: impl Fn(usize) -> usize) {
        let (row, rows) = match self.view {
            View::Groups => (&mut self.group, rows.groups),
            View::Partitions => (&mut self.partition, rows.partitions),
            View::Topics => (&mut self.topic, rows.topics),
            View::Workers => (&mut self.worker, rows.workers),
            View::Functions => (&mut self.function, rows.functions),
        };
        *row = choose(*row).min(rows.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Rows = Rows { groups: 3, partitions: 2, topics: 1, workers: 40, functions: 0, page: 15 };

    fn after(keys: &[KeyCode]) -> Place {
        let mut place = Place::default();
        for &key in keys {
            assert_eq!(place.press(key.into(), ROWS), Next::GoOn, "{key:?}");
        }
        place
    }

    #[test]
    fn a_selection_stays_within_its_rows() {
        use KeyCode::{Char, Down, Enter, Up};
        assert_eq!(after(&[Up]).group, 0);
        assert_eq!(after(&[Down, Down, Down, Down]).group, 2);
        assert_eq!(after(&[Down, Char('j'), Char('k')]).group, 1);
        let place = after(&[Down, Enter, Down, Down]);
        assert_eq!((place.view, place.group, place.partition), (View::Partitions, 1, 1));
        assert_eq!(after(&[Char('t'), Down]).topic, 0);
        assert_eq!(after(&[Char('l'), Down]).function, 0);
    }

    #[test]
    fn a_page_is_what_a_screen_shows_and_both_ends_are_one_key_away() {
        use KeyCode::{Char, End, Home, PageDown, PageUp};
        let worker = |keys: &[KeyCode]| after(&[&[Char('w')], keys].concat()).worker;
        assert_eq!(worker(&[PageDown]), 15);
        assert_eq!(worker(&[PageDown, PageDown, PageDown]), 39);
        assert_eq!(worker(&[End, PageUp]), 24);
        assert_eq!(worker(&[PageDown, PageUp, PageUp]), 0);
        assert_eq!(worker(&[End, Home]), 0);
    }

    #[test]
    fn each_view_is_one_key_away_and_the_way_back_too() {
        use KeyCode::{Char, Enter, Esc};
        assert_eq!(after(&[Char('t')]).view, View::Topics);
        assert_eq!(after(&[Char('t'), Esc]).view, View::Groups);
        assert_eq!(after(&[Enter, Char('g')]).view, View::Groups);
        assert_eq!(after(&[Char('t'), Enter]).view, View::Topics);
        assert_eq!(after(&[Char('w')]).view, View::Workers);
        assert_eq!(after(&[Char('w'), Char('l')]).view, View::Functions);
        assert_eq!(after(&[Char('l'), Esc]).view, View::Groups);
    }

    #[test]
    fn help_goes_at_any_key_which_does_nothing_else() {
        use KeyCode::{Char, Down};
        assert!(after(&[Char('?')]).is_help);
        assert_eq!(after(&[Char('?'), Down]), Place::default());
    }

    #[test]
    fn q_ends_it_and_ctrl_c_interrupts_it_also_while_help_is_shown() {
        let mut place = after(&[KeyCode::Char('?')]);
        assert_eq!(place.press(KeyCode::Char('q').into(), ROWS), Next::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(place.press(interrupt, ROWS), Next::Interrupted);
        assert_eq!(place.press(KeyCode::Char('c').into(), ROWS), Next::GoOn);
    }
}
