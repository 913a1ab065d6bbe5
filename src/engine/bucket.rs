//! A token bucket in whole numbers. A nanosecond is worth as many parts as there are tokens in a period, and
//! a token costs as many parts as the period has nanoseconds: so nothing is ever rounded, and nothing drifts.

use super::amounts::Rate;
use super::time::Mono;

/// A bucket of tokens, which is full to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    /// When it will be full again, in parts since the beginning of time.
    full_at: u128,
}

impl Bucket {
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, full_at: 0 }
    }

    /// How it is filled.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many whole tokens are in it.
    #[must_use]
    pub fn available(&self, now: Mono) -> u32 {
        let left = self.size().saturating_sub(self.missing(now));
        u32::try_from(left / self.token()).unwrap_or(u32::MAX)
    }

    /// Whether so many can be taken.
    pub(super) fn holds(&self, tokens: u32, now: Mono) -> bool {
        self.missing(now) + self.token() * u128::from(tokens) <= self.size()
    }

    /// From when on so many can be taken if nobody takes any meanwhile; `None`: it never holds so many.
    pub(super) fn ready_at(&self, tokens: u32, now: Mono) -> Option<Mono> {
        let room = self.token() * u128::from(tokens);
        let may_miss = self.size().checked_sub(room)?;
        let parts = self.full_at.saturating_sub(may_miss);
        let nanos = parts.div_ceil(u128::from(self.rate.tokens));
        Some(now.max(Mono(u64::try_from(nanos).unwrap_or(u64::MAX))))
    }

    /// Takes so many, which it holds.
    pub(super) fn take(&mut self, tokens: u32, now: Mono) {
        self.full_at = self.full_at.max(self.parts(now)) + self.token() * u128::from(tokens);
    }

    /// Nothing is in it: what was taken is not known.
    pub(super) fn empty(&mut self, now: Mono) {
        self.full_at = self.full_at.max(self.parts(now) + self.size());
    }

    /// From here on it is filled at another rate. What is in it stays there as far as it has room: to
    /// change the rate to and fro gives nobody more.
    pub(super) fn change(&mut self, rate: Rate, now: Mono) {
        let left = self.size().saturating_sub(self.missing(now));
        let before = self.token();
        self.rate = rate;
        let left = (left * self.token() / before).min(self.size());
        self.full_at = self.parts(now) + self.size() - left;
    }

    fn token(&self) -> u128 {
        u128::from(self.rate.per.nanos())
    }

    fn size(&self) -> u128 {
        self.token() * u128::from(self.rate.burst)
    }

    fn parts(&self, at: Mono) -> u128 {
        u128::from(at.0) * u128::from(self.rate.tokens)
    }

    fn missing(&self, now: Mono) -> u128 {
        self.full_at.saturating_sub(self.parts(now))
    }
}

#[cfg(test)]
mod tests {
    use super::super::amounts::Period;
    use super::*;

    const fn rate(tokens: u32, per: Period, burst: u32) -> Rate {
        Rate { tokens, per, burst }
    }

    /// Takes `each` whenever it can from `from` to `end`; the times.
    fn drained(bucket: &mut Bucket, each: u32, from: u64, end: u64) -> Vec<u64> {
        let mut now = Mono(from);
        let mut times = Vec::new();
        while let Some(at) = bucket.ready_at(each, now)
            && at.0 <= end
        {
            let a_moment_before = Mono(at.0.saturating_sub(1));
            assert!(at == now || !bucket.holds(each, a_moment_before));
            assert!(bucket.holds(each, at), "what is ready can be taken");
            bucket.take(each, at);
            times.push(at.0);
            now = at;
        }
        times
    }

    #[test]
    fn a_third_of_a_second_does_not_drift() {
        let mut bucket = Bucket::new(rate(3, Period::Second, 2));
        let times = drained(&mut bucket, 1, 0, 1_000_000_000_000);
        assert_eq!(times[..4], [0, 0, 333_333_334, 666_666_667]);
        assert_eq!(
            (times.len(), times.last()),
            (3_002, Some(&1_000_000_000_000))
        );
    }

    #[test]
    fn in_no_window_is_more_taken_than_the_rate_and_the_burst_allow() {
        for (tokens, per, burst, each) in [
            (10, Period::Second, 5, 1),
            (10, Period::Second, 5, 3),
            (7, Period::Minute, 7, 2),
            (1_000_000, Period::Second, 1, 1),
            (1, Period::Day, 2, 1),
        ] {
            let rate = rate(tokens, per, burst);
            let mut bucket = Bucket::new(rate);
            let times = drained(
                &mut bucket,
                each,
                5,
                20 * per.nanos() / u64::from(tokens) + 5,
            );
            for (first, from) in times.iter().enumerate() {
                for (last, to) in times.iter().enumerate().skip(first) {
                    let taken = (last - first + 1) as u128 * u128::from(each);
                    let earned = u128::from(to - from) * u128::from(tokens);
                    assert!(
                        (taken - u128::from(burst).min(taken)) * u128::from(per.nanos()) <= earned,
                        "{taken} from {from} to {to} at {rate}, burst {burst}"
                    );
                }
            }
            assert!(times.len() >= 3, "{rate}: {times:?}");
        }
    }

    #[test]
    fn what_it_can_never_hold_is_never_ready() {
        let bucket = Bucket::new(rate(10, Period::Second, 5));
        assert_eq!(bucket.available(Mono(0)), 5);
        assert_eq!(bucket.ready_at(6, Mono(0)), None);
        assert_eq!(bucket.ready_at(5, Mono(7)), Some(Mono(7)));
    }

    #[test]
    fn to_change_the_rate_mints_no_tokens() {
        let (slow, fast) = (rate(1, Period::Hour, 2), rate(100, Period::Second, 50));
        let mut bucket = Bucket::new(slow);
        bucket.take(2, Mono(10));
        for _ in 0..10 {
            bucket.change(fast, Mono(10));
            assert_eq!(bucket.available(Mono(10)), 0);
            bucket.change(slow, Mono(10));
            assert_eq!(bucket.available(Mono(10)), 0);
        }
        assert_eq!(bucket.available(Mono(10 + Period::Hour.nanos())), 1);
        bucket.change(fast, Mono(10 + Period::Hour.nanos()));
        assert_eq!(bucket.available(Mono(10 + Period::Hour.nanos())), 1);
        bucket.empty(Mono(20 + Period::Hour.nanos()));
        assert_eq!(bucket.available(Mono(20 + Period::Hour.nanos())), 0);
    }
}
