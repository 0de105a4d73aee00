use super::*;

fn cache() -> RpkiCache {
    RpkiCache {
        address: "127.0.0.1:323".parse().unwrap(),
        preference: 1,
        refresh: None,
        retry: None,
        expire: None,
    }
}

fn known() -> Known {
    Known {
        vrps: Arc::default(),
        serial: Some(Serial {
            session: 1,
            serial: 2,
        }),
        timers: Timers::of(&cache(), Timing::default()),
        version: VERSION_MAX,
        pause: PAUSE_FIRST,
    }
}

fn again(known: &mut Known, lost: &Lost) -> u64 {
    match known.lose(lost) {
        Report::Lost { again_in, .. } => again_in.as_secs(),
        other @ Report::Synced(_) => panic!("{other:?}"),
    }
}

#[test]
fn pauses_grow_up_to_the_retry_interval() {
    let mut known = known();
    let pauses: Vec<u64> = (0..12).map(|_| again(&mut known, &Lost::Closed)).collect();
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600];
    assert_eq!(pauses, expected);
    assert!(known.serial.is_some(), "what changed is asked for");
}

#[test]
fn an_answer_that_is_wrong_is_not_asked_for_again_at_once_and_then_whole() {
    let mut known = known();
    let lost = Lost::Fault(Fault::TooMany(VRPS_MAX));
    assert_eq!(again(&mut known, &lost), 600);
    assert_eq!(known.serial, None);
    let mut known = self::known();
    let nothing_yet = Lost::Fault(Fault::Told {
        code: 2,
        text: String::new(),
    });
    assert_eq!(again(&mut known, &nothing_yet), 1);
    assert!(known.serial.is_some());
}

#[test]
fn another_session_makes_what_was_said_void() {
    let mut known = known();
    let lost = Lost::Fault(Fault::Session {
        expected: 1,
        found: 2,
    });
    let Report::Lost {
        flush, again_in, ..
    } = known.lose(&lost)
    else {
        panic!("not lost");
    };
    assert!(flush);
    assert_eq!((again_in, known.serial), (PAUSE_FIRST, None));
}

#[test]
fn one_that_hangs_up_without_a_word_is_spoken_to_in_the_older_version_next() {
    let mut known = known();
    // First it is taken for one that does not know what it said any more.
    known.lose(&Lost::Mute);
    assert_eq!((known.version, known.serial), (VERSION_MAX, None));
    for version in [0, 1, 0, 1] {
        known.lose(&Lost::Mute);
        assert_eq!(known.version, version);
    }
    known.lose(&Lost::Mute);
    known.lose(&Lost::Closed);
    assert_eq!(known.version, VERSION_MAX);
}

#[test]
fn intervals_of_a_cache_are_kept_within_limits_and_ours_go_before_them() {
    let timing = |refresh_s, retry_s, expire_s| Timing {
        refresh_s,
        retry_s,
        expire_s,
    };
    let seconds = |timers: Timers| {
        [timers.refresh, timers.retry, timers.expire].map(|interval| interval.as_secs())
    };
    // RFC 8210 §6.
    let cases = [
        (timing(3600, 600, 7200), [3600, 600, 7200]),
        (timing(0, 0, 0), [1, 1, 600]),
        (
            timing(u32::MAX, u32::MAX, u32::MAX),
            [86_400, 7200, 172_800],
        ),
        // Data does not expire before it is asked for.
        (timing(3600, 600, 600), [3600, 600, 3601]),
    ];
    for (said, expected) in cases {
        assert_eq!(seconds(Timers::of(&cache(), said)), expected);
    }
    let second = Duration::from_secs(1);
    let ours = RpkiCache {
        refresh: Some(second),
        retry: Some(second * 2),
        expire: Some(second * 3),
        ..cache()
    };
    let timers = Timers::of(&ours, timing(3600, 600, 7200));
    assert_eq!(seconds(timers), [1, 2, 3]);
}
