//! The fairness measures against values computed with other people's libraries.
//!
//! `tests/fixtures/fairness/README.md` says which, and defines every value. Rates, waits and indices
//! must agree to a relative 1e-9, ends of intervals to 1e-6; counts, names and flags exactly.

use std::{collections::BTreeMap, path::PathBuf};

use evenhand::{
    domain::{
        facts::TicketFacts,
        ticket::{Resolution, Status},
        time::UnixMillis,
    },
    fairness::{
        AttributeMeasures, Group, Options, Rate, SegmentMeasures, Verdict, Wait, WaitCurve,
        below_four_fifths, disparity, gini_index, jain_index, measure, measure_service, ratio,
    },
};
use serde_json::Value;

/// Relative tolerance of rates, waits and indices.
const VALUE_TOLERANCE: f64 = 1e-9;
/// Relative tolerance of interval ends.
const INTERVAL_TOLERANCE: f64 = 1e-6;

type Row = BTreeMap<String, String>;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fairness").join(name)
}

fn rows(name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(fixture(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// One data set: its rows, the attribute and what the libraries say about it.
struct Case {
    name: String,
    rows: Vec<Row>,
    attribute: &'static str,
    horizon_secs: u32,
    report: Value,
}

/// The two attributes of `tiny.csv`, and every case of `edge.csv`.
fn cases() -> Vec<Case> {
    let tiny = expected("tiny_expected.json");
    let mut cases: Vec<_> = ["language", "plan"]
        .map(|attribute| Case {
            name: format!("tiny {attribute}"),
            rows: rows("tiny.csv"),
            attribute,
            horizon_secs: 1200,
            report: tiny["attributes"][attribute].clone(),
        })
        .into();
    for (case, report) in expected("edge_expected.json")["cases"].as_object().unwrap() {
        cases.push(Case {
            name: case.clone(),
            rows: rows("edge.csv").into_iter().filter(|row| row["case"] == *case).collect(),
            attribute: "grp",
            horizon_secs: 400,
            report: report.clone(),
        });
    }
    assert_eq!(cases.len(), 16);
    cases
}

impl Case {
    fn facts(&self) -> Vec<TicketFacts> {
        self.rows.iter().map(|row| facts(row, self.attribute)).collect()
    }

    /// The measures with every group that has a ticket comparable.
    fn measures(&self) -> AttributeMeasures {
        let options = Options {
            group_tickets_min: 1,
            horizon_secs: f64::from(self.horizon_secs),
            ..Options::new(vec![self.attribute.to_owned()], UnixMillis(0))
        };
        measure(&self.facts(), &options).remove(0)
    }

    fn groups(&self) -> &serde_json::Map<String, Value> {
        self.report["groups"].as_object().unwrap()
    }
}

/// Reads an outcome cell: 0, 1, or empty for not known.
fn outcome(row: &Row, column: &str) -> Option<bool> {
    match row[column].as_str() {
        "" => None,
        cell => Some(cell == "1"),
    }
}

/// The wait in a row; `None` when the cell is empty.
fn wait(row: &Row) -> Option<Wait> {
    let secs: u64 = row["wait_seconds"].parse().ok()?;
    Some(Wait { ms: secs * 1000, assigned: row["assigned"] == "1" })
}

/// A row as the program sees a ticket received at 0. `selected` there is `fast_tracked` here.
fn facts(row: &Row, attribute: &str) -> TicketFacts {
    let wait = wait(row).unwrap_or(Wait { ms: 0, assigned: false });
    let end = Some(UnixMillis(i64::try_from(wait.ms).unwrap()));
    let value = row[attribute].clone();
    // A target that is met, or missed by a second, as the row says.
    let secs = u32::try_from(wait.ms / 1000).unwrap();
    let target = |breached| if breached { secs.checked_sub(1).unwrap() } else { secs };
    let resolved = |first| if first { Resolution::FirstContact } else { Resolution::Resolved };
    let declared = (!value.is_empty()).then(|| (attribute.to_owned(), value));
    TicketFacts {
        segments: declared.into_iter().collect(),
        status: if wait.assigned { Status::Assigned } else { Status::Cancelled },
        received_at: UnixMillis(0),
        assigned_at: end.filter(|_| wait.assigned),
        closed_at: end.filter(|_| !wait.assigned),
        fast_tracked: outcome(row, "y_pred"),
        triaged: None,
        target_secs: outcome(row, "sla_breached").map(target),
        resolution: outcome(row, "resolved_first_contact").map(resolved),
        reassigned: outcome(row, "reassigned"),
        agent: None,
    }
}

fn rate(hits: u64, count: u64) -> Rate {
    (0..count).map(|index| index < hits).collect()
}

#[track_caller]
fn assert_close(actual: Option<f64>, expected: &Value, tolerance: f64, what: &str) {
    match (actual, expected.as_f64()) {
        (None, None) => assert!(expected.is_null(), "{what}: {expected}"),
        (Some(actual), Some(expected)) => {
            let distance = (actual - expected).abs();
            // Where an interval ends at exactly 0, the reference has a rounding error of 3e-17.
            let allowed = tolerance * expected.abs() + f64::EPSILON;
            assert!(distance <= allowed, "{what}: {actual}, not {expected}");
        }
        (actual, expected) => panic!("{what}: {actual:?}, not {expected:?}"),
    }
}

#[track_caller]
fn assert_interval(rate: Rate, expected: &Value, what: &str) {
    let interval = rate.interval();
    let (low, high) = (interval.map(|ends| ends.low), interval.map(|ends| ends.high));
    assert_close(low, &expected[0], INTERVAL_TOLERANCE, &format!("{what}: lower end"));
    assert_close(high, &expected[1], INTERVAL_TOLERANCE, &format!("{what}: upper end"));
}

/// Checks a rate of the program against a block with `n`, `k`, `rate` and `wilson95`.
#[track_caller]
fn assert_rate(rate: Rate, expected: &Value, what: &str) {
    assert_eq!(Some(rate.count()), expected["n"].as_u64(), "{what}: count");
    assert_eq!(Some(rate.hits()), expected["k"].as_u64(), "{what}: hits");
    assert_close(rate.value(), &expected["rate"], VALUE_TOLERANCE, what);
    assert_interval(rate, &expected["wilson95"], what);
}

#[test]
fn every_group_has_the_rates_and_intervals_of_statsmodels() {
    for case in cases() {
        let measures = case.measures();
        assert_eq!(Some(measures.undeclared_count), case.report["n_unknown"].as_u64());
        let with_tickets: Vec<_> =
            case.groups().iter().filter(|(_, group)| group["n"] != 0).collect();
        assert_eq!(measures.segments.len(), with_tickets.len(), "{}", case.name);
        for (segment, (name, group)) in measures.segments.iter().zip(with_tickets) {
            let what = format!("{}, {name}", case.name);
            assert_eq!(segment.segment, *name);
            assert_eq!(Some(segment.ticket_count), group["n"].as_u64(), "{what}");
            let selected = segment.fast_tracked.unwrap();
            assert_eq!(Some(selected.hits()), group["n_selected"].as_u64(), "{what}");
            assert_close(selected.value(), &group["selection_rate"], VALUE_TOLERANCE, &what);
            assert_interval(selected, &group["selection_rate_wilson95"], &what);
            assert_rate(segment.first_contact.unwrap(), &group["first_contact_resolution"], &what);
            assert_rate(segment.reassigned.unwrap(), &group["reassigned"], &what);
            // The reference counts breached targets, the program those met.
            let met = segment.target_met.unwrap();
            assert_rate(rate(met.count() - met.hits(), met.count()), &group["sla_breach"], &what);
        }
    }
}

#[test]
fn four_fifths_flags_and_impact_ratios_are_exact_and_have_the_same_reference_group() {
    for case in cases() {
        let measures = case.measures();
        let four_fifths = &case.report["four_fifths"];
        if measures.segments.len() < 2 {
            assert_eq!(measures.verdict, Verdict::NotEnoughEvidence, "{}", case.name);
            continue;
        }
        let reference = four_fifths["reference"].as_str().unwrap();
        let of_reference = |group: &&SegmentMeasures| group.segment == reference;
        let reference = measures.segments.iter().find(of_reference).unwrap();
        let reference = reference.fast_tracked.unwrap();
        for segment in &measures.segments {
            let what = format!("{}, {}", case.name, segment.segment);
            let group = &four_fifths["groups"][&segment.segment];
            let flag = group["below_four_fifths"].as_bool();
            assert_eq!(segment.below_four_fifths, flag, "{what}");
            assert_eq!(below_four_fifths(segment.fast_tracked.unwrap(), reference), flag, "{what}");
            let impact_ratio = &group["impact_ratio"];
            assert_close(segment.fast_track_ratio, impact_ratio, VALUE_TOLERANCE, &what);
            let own_ratio = ratio(segment.fast_tracked.unwrap(), reference);
            assert_close(own_ratio, impact_ratio, VALUE_TOLERANCE, &what);
        }
        let below = |group: &Value| group["below_four_fifths"] == true;
        let any_below = four_fifths["groups"].as_object().unwrap().values().any(below);
        let verdict = if any_below { Verdict::BelowFourFifths } else { Verdict::WithinFourFifths };
        assert_eq!(measures.verdict, verdict, "{}", case.name);
        let strict = &case.report["strict"]["selection_rate"]["ratio"];
        assert_close(measures.disparity_ratio, strict, VALUE_TOLERANCE, &case.name);
    }
}

#[test]
fn strict_differences_and_ratios_agree_for_every_rate_the_confusion_counts_give() {
    // Each rate is hits out of hits and misses, summed over these counts of a group.
    let rates: [(&str, &[&str], &[&str]); 11] = [
        ("selection_rate", &["n_selected"], &[]),
        ("base_rate", &["tp", "fn"], &["fp", "tn"]),
        ("tpr", &["tp"], &["fn"]),
        ("fpr", &["fp"], &["tn"]),
        ("tnr", &["tn"], &["fp"]),
        ("fnr", &["fn"], &["tp"]),
        ("ppv", &["tp"], &["fp"]),
        ("npv", &["tn"], &["fn"]),
        ("fdr", &["fp"], &["tp"]),
        ("for", &["fn"], &["tn"]),
        ("accuracy", &["tp", "tn"], &["fp", "fn"]),
    ];
    for case in cases() {
        for (name, hits, misses) in rates {
            let sum = |group: &Value, names: &[&str]| -> u64 {
                names.iter().map(|name| group[name].as_u64().unwrap()).sum()
            };
            let of_group = |group: &Value| {
                let hits = sum(group, hits);
                let all =
                    if misses.is_empty() { sum(group, &["n"]) } else { hits + sum(group, misses) };
                rate(hits, all)
            };
            let groups: Vec<_> = case
                .groups()
                .iter()
                .map(|(name, group)| Group { name, rate: of_group(group) })
                .collect();
            let strict = &case.report["strict"][name];
            assert_strict(&groups, strict, &format!("{}, {name}", case.name));
        }
    }
}

#[track_caller]
fn assert_strict(groups: &[Group<'_>], strict: &Value, what: &str) {
    let found = disparity(groups);
    let defined = found.map_or(0, |found| found.group_count);
    assert_eq!(strict["n_groups_defined"], defined, "{what}");
    assert_eq!(strict["n_groups_undefined"], groups.len() - defined, "{what}");
    let (difference, ratio) =
        (found.map(|found| found.difference()), found.and_then(|f| f.ratio()));
    assert_close(difference, &strict["difference"], VALUE_TOLERANCE, what);
    assert_close(ratio, &strict["ratio"], VALUE_TOLERANCE, what);
    assert_eq!(found.map(|found| found.lowest.name), strict["argmin"].as_str(), "{what}");
    assert_eq!(found.map(|found| found.highest.name), strict["argmax"].as_str(), "{what}");
}

#[test]
fn service_rates_differ_between_groups_as_much_as_the_reference_says() {
    for case in cases() {
        for rate_name in ["sla_breach", "reassigned", "first_contact_resolution"] {
            let groups: Vec<_> = case
                .groups()
                .iter()
                .map(|(name, group)| {
                    let counts = ["k", "n"].map(|key| group[rate_name][key].as_u64().unwrap());
                    Group { name, rate: rate(counts[0], counts[1]) }
                })
                .collect();
            let (found, expected) = (disparity(&groups), &case.report["service_rates"][rate_name]);
            let what = format!("{}, {rate_name}", case.name);
            let difference = found.map(|found| found.difference());
            assert_close(difference, &expected["difference"], VALUE_TOLERANCE, &what);
            let ratio = found.and_then(|found| found.ratio());
            assert_close(ratio, &expected["ratio"], VALUE_TOLERANCE, &what);
        }
    }
}

#[test]
fn kaplan_meier_curves_are_those_of_lifelines() {
    let mut count = 0;
    for case in cases() {
        let everybody = ("overall".to_owned(), case.report["overall"].clone());
        let groups = case.groups().iter().map(|(name, group)| (name.clone(), group.clone()));
        for (name, group) in groups.chain([everybody]) {
            let in_group = |row: &&Row| match name.as_str() {
                "overall" => !row[case.attribute].is_empty(),
                _ => row[case.attribute] == name,
            };
            let waits = case.rows.iter().filter(in_group).filter_map(wait).collect();
            assert_curve(&WaitCurve::new(waits), &group["wait"], case.horizon_secs, &case.name);
            count += 1;
        }
    }
    assert_eq!(count, 50);
}

#[track_caller]
fn assert_curve(curve: &WaitCurve, expected: &Value, horizon_secs: u32, what: &str) {
    assert_eq!(expected["n_assigned"], curve.assigned_count(), "{what}");
    assert_eq!(expected["n_censored"], curve.censored_count(), "{what}");
    for (secs, survival) in expected["km_survival_at"].as_object().unwrap() {
        let actual = curve.survival_at(secs.parse().unwrap());
        assert_close(actual, survival, VALUE_TOLERANCE, &format!("{what} at {secs} s"));
    }
    let measures = curve.measures(f64::from(horizon_secs));
    assert_close(measures.median_secs, &expected["km_median"], VALUE_TOLERANCE, what);
    let restricted_mean = &expected[format!("km_rmst_{horizon_secs}")];
    assert_close(measures.restricted_mean_secs, restricted_mean, VALUE_TOLERANCE, what);
}

#[test]
fn the_measures_of_all_tickets_are_the_overall_ones() {
    for case in cases().into_iter().filter(|case| case.name != "missing_cells") {
        let horizon_secs = f64::from(case.horizon_secs);
        let measures = measure_service(&case.facts(), horizon_secs, UnixMillis(0));
        let overall = &case.report["overall"];
        assert_rate(measures.first_contact, &overall["first_contact_resolution"], &case.name);
        let wait = &overall["wait"];
        assert_close(measures.wait.median_secs, &wait["km_median"], VALUE_TOLERANCE, &case.name);
        assert_eq!(wait["n_assigned"], measures.wait.assigned_count, "{}", case.name);
        assert_eq!(wait["n_censored"], measures.wait.censored_count, "{}", case.name);
    }
}

#[test]
fn jain_and_gini_of_loads_and_of_angry_tickets_agree() {
    let agents = &expected("tiny_expected.json")["agents"];
    for counted in ["load", "angry"] {
        let by_agent = agents[counted].as_object().unwrap();
        let loads: Vec<_> = by_agent.values().map(|count| count.as_u64().unwrap()).collect();
        assert_eq!(loads.len(), 3);
        let (jain, gini) = (jain_index(&loads), gini_index(&loads));
        let key = |index: &str| format!("formula_{index}_{counted}");
        assert_close(jain, &agents[key("jain")], VALUE_TOLERANCE, counted);
        assert_close(gini, &agents[key("gini")], VALUE_TOLERANCE, counted);
    }
}

#[test]
fn intersections_of_attributes_are_compared_like_attributes() {
    let intersection = expected("tiny_expected.json")["intersections"][0].clone();
    let mut cells: BTreeMap<String, Rate> = BTreeMap::new();
    for row in rows("tiny.csv") {
        let cell = format!("{}|{}", row["language"], row["plan"]);
        cells.entry(cell).or_default().record(row["y_pred"] == "1");
    }
    assert_eq!(cells.len(), intersection["cells"].as_object().unwrap().len());
    for (cell, rate) in &cells {
        let expected = &intersection["cells"][cell]["selection_rate"];
        assert_close(rate.value(), expected, VALUE_TOLERANCE, cell);
    }
    let groups: Vec<_> = cells.iter().map(|(name, rate)| Group { name, rate: *rate }).collect();
    let found = disparity(&groups).unwrap();
    let (difference, ratio) = (Some(found.difference()), found.ratio());
    let expected = |key: &str| intersection[format!("selection_rate_{key}")].clone();
    assert_close(difference, &expected("difference"), VALUE_TOLERANCE, "difference");
    assert_close(ratio, &expected("ratio"), VALUE_TOLERANCE, "ratio");
}

#[test]
fn every_wilson_interval_in_the_reference_is_met() {
    fn walk(value: &Value, checked: &mut usize) {
        match value {
            Value::Object(fields) => {
                let number = |key: &str| fields.get(key).and_then(Value::as_u64);
                let interval = fields.get("wilson95").or(fields.get("wilson95_fixed_n"));
                if let (Some(hits), Some(count), Some(interval)) =
                    (number("k"), number("n"), interval)
                {
                    assert_interval(rate(hits, count), interval, &format!("{hits} of {count}"));
                    *checked += 1;
                }
                let sums = [("tpr", "tp", "fn"), ("fpr", "fp", "tn")];
                for (name, hit, miss) in sums {
                    let interval = fields.get(&format!("{name}_wilson95"));
                    if let (Some(hits), Some(misses), Some(interval)) =
                        (number(hit), number(miss), interval)
                    {
                        assert_interval(rate(hits, hits + misses), interval, name);
                        *checked += 1;
                    }
                }
                fields.values().for_each(|field| walk(field, checked));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, checked)),
            _ => {}
        }
    }
    let mut checked = 0;
    walk(&expected("tiny_expected.json"), &mut checked);
    walk(&expected("edge_expected.json"), &mut checked);
    assert!(checked > 200, "only {checked} intervals found");
}
