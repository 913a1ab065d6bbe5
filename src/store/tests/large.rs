//! A store that is too large for all of it to be looked at before a daemon goes on with it.

use super::*;
use crate::store::sqlite::WHOLE;

#[test]
fn of_a_large_store_the_newest_records_have_to_follow_each_other() {
    let fixture = Fixture::new();
    let count = WHOLE.cast_unsigned() + 500;
    fixture.fill(&[records(1, vec![Fact::Opened; count as usize])]);
    assert_eq!(fixture.open().recovered.next_record, count + 1);
    // Among the newest thousand, and none of a run.
    fixture.change(&format!("DELETE FROM facts WHERE number = {}", count - 400));
    let error = fixture.refused();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}
