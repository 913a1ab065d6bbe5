//! The same source files as in the program: those with `unsafe`, but for a socket that is handed over and the timer,
//! whose one block each is about a descriptor, as that of `pipe` is. Their own tests are here with them, and `births`,
//! which has processes made and waited for in each way in which that can go.

#![cfg(test)]
#![expect(dead_code, reason = "of each file that is here which its tests use")]

#[macro_use]
mod bugs {
    /// Nothing is wrong on purpose here.
    macro_rules! bug {
        ($name:literal) => {
            false
        };
    }
}
mod process {
    #[path = "../../../../src/process/birth.rs"]
    mod birth;
    #[path = "../../../../src/process/inherited.rs"]
    mod inherited;
    #[path = "../../../../src/process/pipe.rs"]
    mod pipe;
    #[path = "../../../../src/process/proc.rs"]
    mod proc;
    #[path = "../../../../src/process/wait.rs"]
    mod wait;

    mod births;
}
#[path = "../../../src/lanes/priority.rs"]
mod priority;
