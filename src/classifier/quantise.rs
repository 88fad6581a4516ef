//! Weights on disk: whole numbers of eight bits, with one scale for each row of a matrix.
//!
//! Symmetric: a row's largest magnitude becomes 127. Vectors (biases, norms) stay f32. The scales of
//! `NAME` lie in `NAME.scale`.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use evenhand_kernels::int8::{Matrix, round_rows};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// Suffix of the name under which a matrix' scales are stored.
const SCALE_SUFFIX: &str = ".scale";

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file is not safetensors.
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor has a type that is not read.
    #[error(
        "weight {name} has type {found:?}; allowed are F32, F16, BF16, and I8 in our own models"
    )]
    Type {
        /// Of the tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
    /// A quantised matrix has no scales, or scales of another shape.
    #[error("weight {name} needs {rows} scales in {name}.scale")]
    Scales {
        /// Of the tensor.
        name: String,
        /// Its rows.
        rows: usize,
    },
    /// A weight is not there.
    #[error("weight {name} is missing")]
    Missing {
        /// Of the tensor.
        name: String,
    },
    /// A weight has another shape.
    #[error("weight {name} has shape {found:?}, config.json says {expected:?}")]
    Shape {
        /// Of the tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// That of the configuration.
        expected: Vec<usize>,
    },
    /// A weight that no arithmetic survives.
    #[error("weight {name} has {count} numbers that are infinite or none; allowed are finite ones")]
    NotFinite {
        /// Of the tensor.
        name: String,
        /// How many.
        count: usize,
    },
    /// candle refused.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// A matrix of whole numbers with one scale for each row.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Row by row.
    pub values: Vec<i8>,
    /// One for each row.
    pub scales: Vec<f32>,
    /// Numbers of a row.
    pub width: usize,
}

impl Whole {
    /// Returns it as the kernels take it.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix { whole: &self.values, scales: &self.scales }
    }

    /// Returns a row and its scale.
    #[must_use]
    pub fn row(&self, index: usize) -> (&[i8], f32) {
        (&self.values[index * self.width..][..self.width], self.scales[index])
    }
}

/// The weights of a file whose names and shapes are known.
pub struct WeightsFile<'a> {
    file: SafeTensors<'a>,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl<'a> WeightsFile<'a> {
    /// Looks into a file.
    ///
    /// # Errors
    /// When it is not safetensors.
    pub fn open(
        bytes: &'a [u8],
        shapes: BTreeMap<String, Vec<usize>>,
    ) -> Result<Self, WeightsError> {
        Ok(Self { file: SafeTensors::deserialize(bytes)?, shapes })
    }

    /// Returns a weight widened to f32.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape or type.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let view = self.view(name)?;
        widened(&self.file, name, &view)
    }

    /// Returns a matrix rounded to whole numbers, as it is if the file has it so.
    ///
    /// # Errors
    /// As [`Self::numbers`].
    pub fn whole(&self, name: &str) -> Result<Whole, WeightsError> {
        let view = self.view(name)?;
        let width = view.shape().last().copied().unwrap_or(1);
        if view.dtype() == Dtype::I8 {
            let values = view.data().iter().map(|byte| byte.cast_signed()).collect();
            return Ok(Whole { values, scales: scales_of(&self.file, name, &view)?, width });
        }
        let (values, scales) = round_rows(&widened(&self.file, name, &view)?, width);
        Ok(Whole { values, scales, width })
    }

    fn view(&self, name: &str) -> Result<TensorView<'a>, WeightsError> {
        let missing = || WeightsError::Missing { name: name.to_owned() };
        let expected = self.shapes.get(name).ok_or_else(missing)?;
        let view = self.file.tensor(name).map_err(|_| missing())?;
        if view.shape() == expected {
            return Ok(view);
        }
        Err(WeightsError::Shape {
            name: name.to_owned(),
            found: view.shape().to_vec(),
            expected: expected.clone(),
        })
    }
}

/// Returns the tensors of a file, quantised ones widened to f32.
///
/// # Errors
/// [`WeightsError`] names the tensor.
pub fn read(bytes: &[u8], device: &Device) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if name.ends_with(SCALE_SUFFIX) {
            continue;
        }
        // Counters such as BERT's position_ids; no weight of ours.
        if view.dtype() == Dtype::I64 {
            continue;
        }
        let values = widened(&file, &name, &view)?;
        tensors.insert(name, Tensor::from_vec(values, view.shape(), device)?);
    }
    Ok(tensors)
}

/// Returns numbers of a floating-point type as f32; `None` when the type is another.
#[must_use]
pub fn floats_of(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(floats(data)),
        Dtype::F16 => Some(halves(data, half_to_f32)),
        Dtype::BF16 => Some(halves(data, |bits| f32::from_bits(u32::from(bits) << 16))),
        _ => None,
    }
}

/// Returns a file of tensors; matrices of the names that `quantised` picks take a byte a weight.
///
/// # Errors
/// When a tensor cannot be read as f32.
pub fn write(
    tensors: &BTreeMap<String, Tensor>,
    quantised: impl Fn(&str) -> bool,
) -> Result<Vec<u8>, WeightsError> {
    let mut entries: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors {
        let shape = tensor.dims().to_vec();
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if shape.len() == 2 && quantised(name) {
            let (whole, scales) = round_rows(&values, shape[1]);
            let whole = whole.into_iter().flat_map(i8::to_le_bytes).collect();
            entries.push((
                format!("{name}{SCALE_SUFFIX}"),
                Dtype::F32,
                vec![shape[0]],
                bytes(&scales),
            ));
            entries.push((name.clone(), Dtype::I8, shape, whole));
        } else {
            entries.push((name.clone(), Dtype::F32, shape, bytes(&values)));
        }
    }
    let mut views = Vec::with_capacity(entries.len());
    for (name, dtype, shape, data) in &entries {
        views.push((name.as_str(), TensorView::new(*dtype, shape.clone(), data)?));
    }
    Ok(safetensors::serialize(views, None)?)
}

/// Returns the numbers of a tensor as f32.
fn widened(
    file: &SafeTensors<'_>,
    name: &str,
    view: &TensorView<'_>,
) -> Result<Vec<f32>, WeightsError> {
    if view.dtype() != Dtype::I8 {
        let unknown = || WeightsError::Type { name: name.to_owned(), found: view.dtype() };
        return floats_of(view.dtype(), view.data()).ok_or_else(unknown);
    }
    let scales = scales_of(file, name, view)?;
    let width = view.data().len() / scales.len();
    let mut values = Vec::with_capacity(view.data().len());
    for (row, scale) in view.data().chunks(width.max(1)).zip(scales) {
        values.extend(row.iter().map(|byte| f32::from(byte.cast_signed()) * scale));
    }
    Ok(values)
}

/// Returns the scales of a quantised matrix, one for each row, at least one.
fn scales_of(
    file: &SafeTensors<'_>,
    name: &str,
    view: &TensorView<'_>,
) -> Result<Vec<f32>, WeightsError> {
    let rows = view.shape().first().copied().unwrap_or(0);
    let missing = || WeightsError::Scales { name: name.to_owned(), rows };
    let scales = file.tensor(&format!("{name}{SCALE_SUFFIX}")).map_err(|_| missing())?;
    if scales.dtype() != Dtype::F32 || scales.shape() != [rows] || rows == 0 {
        return Err(missing());
    }
    Ok(floats(scales.data()))
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn halves(data: &[u8], widen: impl Fn(u16) -> f32) -> Vec<f32> {
    data.chunks_exact(2).map(|b| widen(u16::from_le_bytes([b[0], b[1]]))).collect()
}

fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 if bits & 0x3ff == 0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_round_trip_moves_no_weight_by_more_than_half_a_step(
            rows in prop::collection::vec(prop::collection::vec(-9_f32..9.0, 7), 1..9)
        ) {
            let shape = (rows.len(), 7);
            let matrix = Tensor::from_vec(rows.concat(), shape, &Device::Cpu).unwrap();
            let tensors = BTreeMap::from([("m".to_owned(), matrix)]);
            let back = read(&write(&tensors, |_| true).unwrap(), &Device::Cpu).unwrap();
            for (row, found) in rows.iter().zip(back["m"].to_vec2::<f32>().unwrap()) {
                let step = row.iter().fold(0_f32, |a, b| a.max(b.abs())) / 127.0;
                for (was, is) in row.iter().zip(found) {
                    prop_assert!((was - is).abs() <= step * 0.5001 + f32::MIN_POSITIVE);
                }
            }
        }
    }

    #[test]
    fn halves_widen_exactly() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x3555, 0.333_251_95)]
        {
            assert!((half_to_f32(bits) - value).abs() < f32::EPSILON * value.abs());
        }
    }

    #[test]
    fn a_matrix_without_scales_is_refused_by_name() {
        let data = [1_u8, 2, 3, 4];
        let view = TensorView::new(Dtype::I8, vec![2, 2], &data).unwrap();
        let file = safetensors::serialize([("m", view)], None).unwrap();
        let error = read(&file, &Device::Cpu).unwrap_err().to_string();
        assert_eq!(error, "weight m needs 2 scales in m.scale");
    }
}
