//! Things by index; an index that came free is used again.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slots<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.things[index as usize] = Some(thing);
            return index;
        }
        self.things.push(Some(thing));
        u32::try_from(self.things.len() - 1).expect("fewer than four billion of them")
    }

    pub(super) fn remove(&mut self, index: u32) -> T {
        self.free.push(index);
        self.things[index as usize]
            .take()
            .expect("an index is held only while the thing is there")
    }

    pub(super) fn get(&self, index: u32) -> &T {
        self.things[index as usize]
            .as_ref()
            .expect("an index is held only while the thing is there")
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut T {
        self.things[index as usize]
            .as_mut()
            .expect("an index is held only while the thing is there")
    }
}
