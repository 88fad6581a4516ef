//! Products against whole-number arithmetic from the definition, by every set of instructions that this
//! processor has.

use proptest::prelude::*;

use super::*;

/// Numbers of a row, with what rounding and adding up are tried by: zeros, extremes, tiny ones.
fn row(width: usize) -> impl Strategy<Value = Vec<f32>> {
    let number = prop_oneof![
        8 => -3_f32..3.0,
        1 => Just(0.0),
        1 => prop_oneof![Just(3e30_f32), Just(-3e30), Just(1e-39), Just(-1e-30)],
    ];
    let mixed = prop::collection::vec(number, width);
    // The largest sums: all at the end of the range, all of one sign.
    let extreme = prop_oneof![Just(1.0_f32), Just(-1.0)].prop_map(move |x| vec![x; width]);
    prop_oneof![8 => mixed, 1 => extreme, 1 => Just(vec![0.0; width])]
}

prop_compose! {
    fn layer()(rows in 0_usize..16, outputs in 1_usize..150, inputs in 1_usize..90)(
        x in prop::collection::vec(row(inputs), rows),
        whole in prop::collection::vec(-127_i8..=127, outputs * inputs),
        scales in prop::collection::vec(1e-4_f32..2.0, outputs),
        bias in prop::collection::vec(-2_f32..2.0, outputs),
        inputs in Just(inputs),
    ) -> (Vec<Vec<f32>>, Vec<i8>, Vec<f32>, Vec<f32>, usize) {
        (x, whole, scales, bias, inputs)
    }
}

/// A row's whole numbers and its scale, in f64.
fn rounded(row: &[f32]) -> (Vec<i64>, f64) {
    let largest = row.iter().fold(0.0, |largest: f64, x| largest.max(f64::from(x.abs())));
    let scale = largest / 127.0;
    #[expect(clippy::cast_possible_truncation, reason = "within ±127")]
    let whole = |x: &f32| (f64::from(*x) / scale).round_ties_even() as i64;
    if largest > 1e-36 {
        (row.iter().map(whole).collect(), scale)
    } else {
        (vec![0; row.len()], 0.0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn products_are_those_of_whole_numbers((x, whole, scales, bias, inputs) in layer()) {
        let weights = Weights::new(Matrix { whole: &whole, scales: &scales });
        let mut rows = Rows::default();
        // What was there before must not be seen.
        rows.round(&vec![1.0; 3 * (inputs + 1)], inputs + 1);
        rows.round(&x.concat(), inputs);
        prop_assert_eq!(rows.count(), x.len());
        for set in Instructions::ALL.into_iter().filter(|set| set.are_there()) {
            let mut found = vec![f32::NAN; x.len() * scales.len()];
            weights.forward_by(set, &rows, &bias, &mut found);
            for (row, found) in x.iter().zip(found.chunks(scales.len())) {
                let (numbers, by) = rounded(row);
                for (output, found) in found.iter().enumerate() {
                    let weights = whole[output * inputs..].iter().map(|w| i64::from(*w));
                    let terms = weights.zip(&numbers);
                    // A number between two steps may be rounded to either: at most one step each.
                    let (mut sum, mut doubt) = (0, 0.0);
                    for ((weight, number), x) in terms.zip(row) {
                        sum += weight * number;
                        let between = (f64::from(*x) / by).fract().abs() - 0.5;
                        doubt += if between.abs() < 1e-4 { weight.abs() as f64 } else { 0.0 };
                    }
                    let unit = f64::from(scales[output]) * by;
                    let wanted = sum as f64 * unit + f64::from(bias[output]);
                    let allowed = doubt * unit + 1e-6 * (wanted.abs() + (sum as f64 * unit).abs() + 2.0);
                    let gap = (f64::from(*found) - wanted).abs();
                    prop_assert!(gap <= allowed, "{set:?}: {found}, wanted {wanted}");
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_those_beside_it((x, whole, scales, bias, inputs) in layer()) {
        let weights = Weights::new(Matrix { whole: &whole, scales: &scales });
        let of = |x: &[f32]| {
            let mut rows = Rows::default();
            rows.round(x, inputs);
            let mut out = vec![0.0; rows.count() * scales.len()];
            weights.forward(&rows, &bias, &mut out);
            out
        };
        let alone: Vec<f32> = x.iter().flat_map(|row| of(row)).collect();
        let bits = |numbers: &[f32]| -> Vec<u32> { numbers.iter().map(|x| x.to_bits()).collect() };
        prop_assert_eq!(bits(&of(&x.concat())), bits(&alone));
    }
}

#[test]
fn matrices_laid_out_together_are_those_laid_out_apart() {
    let whole: Vec<i8> = (0..90 * 13).map(|k| i8::try_from(k * 37 % 255 - 127).unwrap()).collect();
    let scales = vec![0.01; 90];
    let matrices = [
        Matrix { whole: &whole, scales: &scales },
        Matrix { whole: &whole[..70 * 9], scales: &scales[..70] },
        Matrix { whole: &whole[..3], scales: &scales[..1] },
    ];
    for (together, matrix) in Weights::together(&matrices).iter().zip(matrices) {
        let (outputs, inputs) = together.shape();
        let mut rows = Rows::default();
        rows.round(&(0..2 * inputs).map(|k| (k as f32).sin()).collect::<Vec<_>>(), inputs);
        for set in Instructions::ALL.into_iter().filter(|set| set.are_there()) {
            let of = |weights: &Weights| {
                let mut out = vec![0.0; 2 * outputs];
                weights.forward_by(set, &rows, &vec![0.0; outputs], &mut out);
                out
            };
            assert_eq!(of(together), of(&Weights::new(matrix)), "{set:?}");
        }
    }
}

#[test]
fn the_largest_sums_fit() {
    for inputs in [1536, INPUTS_MAX] {
        let weights = Weights::new(Matrix { whole: &vec![127; 2 * inputs], scales: &[1.0, 0.5] });
        let mut rows = Rows::default();
        rows.round(&[vec![1.0; inputs], vec![-1.0; inputs]].concat(), inputs);
        for set in Instructions::ALL.into_iter().filter(|set| set.are_there()) {
            let mut found = [0.0; 4];
            weights.forward_by(set, &rows, &[0.0; 2], &mut found);
            let largest = 127.0 * inputs as f32;
            for (found, share) in found.iter().zip([1.0, 0.5, -1.0, -0.5]) {
                assert!((found / largest - share).abs() < 1e-6, "{set:?}: {found} of {inputs}");
            }
        }
    }
}

#[test]
fn a_row_that_is_not_finite_spoils_itself_and_no_other() {
    let weights = Weights::rounded(&[1.0; 12], (2, 6));
    for spoiled in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = [0.5; 18];
        x[7] = spoiled;
        let mut rows = Rows::default();
        for gelu in [false, true] {
            if gelu {
                rows.round_gelu(&mut x.clone(), 6)
            } else {
                rows.round(&x, 6)
            }
            for set in Instructions::ALL.into_iter().filter(|set| set.are_there()) {
                let mut found = [0.0; 6];
                weights.forward_by(set, &rows, &[0.0; 2], &mut found);
                let finite = found.map(f32::is_finite);
                assert_eq!(finite, [true, true, false, false, true, true], "{set:?} {spoiled}");
            }
        }
    }
}

#[test]
fn rounding_the_gelu_is_rounding_what_gelu_gives() {
    let x: Vec<f32> = (-600..600).map(|k| k as f32 * 0.01).collect();
    let of = |rows: &Rows| {
        let mut out = vec![0.0; 1200];
        Weights::new(Matrix { whole: &[1], scales: &[1.0] }).forward(rows, &[0.0], &mut out);
        out
    };
    let (mut exact, mut rough) = (Rows::default(), Rows::default());
    exact.round(&crate::gelu::gelu(&x), 1);
    rough.round_gelu(&mut x.clone(), 1);
    for (exact, rough) in of(&exact).iter().zip(of(&rough)) {
        assert!((exact - rough).abs() < 2e-4, "{exact} {rough}");
    }
}
