//! The digits that Java prints before version 19: not always the shortest of the number, though always of the same
//! number. As `Double.toString` of those versions is documented and behaves: whole numbers keep all the digits they can
//! carry, others end at the first digit that tells them from their neighbours, whose boundaries do not count.

use std::cmp::Ordering;

/// A binary floating-point number that is neither zero nor infinite: `fraction * 2^(exponent - 52)`, bit 52 set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binary {
    fraction: u64,
    exponent: i32,
    /// Bits of the type's precision, fewer where the number is subnormal.
    precision: i32,
}

/// Decimal digits (0 to 9), and the exponent of `0.d1d2d3... * 10^exponent`.
pub(super) struct JavaDigits {
    pub(super) digits: Vec<u8>,
    pub(super) exponent: i32,
}

const FRACTION_BITS: u32 = 52;
const FIRST_BIT: u64 = 1 << FRACTION_BITS;

impl Binary {
    pub(super) fn of_double(value: f64) -> Self {
        let bits = value.to_bits();
        let exponent = (bits >> FRACTION_BITS & 0x7ff) as i32;
        Self::new(bits & (FIRST_BIT - 1), exponent, 1023, 53, FRACTION_BITS)
    }

    pub(super) fn of_float(value: f32) -> Self {
        let bits = value.to_bits();
        let exponent = (bits >> 23 & 0xff) as i32;
        Self::new(u64::from(bits & 0x7f_ffff), exponent, 127, 24, 23)
    }

    /// Of the stored fraction and exponent.
    fn new(fraction: u64, exponent: i32, bias: i32, precision: i32, stored_bits: u32) -> Self {
        let widened = fraction << (FRACTION_BITS - stored_bits);
        if exponent > 0 {
            return Self {
                fraction: widened | FIRST_BIT,
                exponent: exponent - bias,
                precision,
            };
        }
        let shift = widened.leading_zeros().saturating_sub(11);
        Self {
            fraction: widened << shift,
            exponent: 1 - shift.cast_signed() - bias,
            precision: precision - shift.cast_signed(),
        }
    }

    pub(super) fn digits(self) -> JavaDigits {
        let bits = 53 - self.fraction.trailing_zeros().cast_signed();
        // Bits behind the binary point.
        let behind = (bits - self.exponent - 1).max(0);
        if behind == 0 && self.exponent <= 62 {
            return self.whole_digits();
        }
        self.shortened_digits(bits, behind)
    }

    /// A whole number below 2^63, without what is beyond the type's precision.
    fn whole_digits(self) -> JavaDigits {
        let shift = self.exponent - FRACTION_BITS.cast_signed();
        let mut number = if shift >= 0 {
            self.fraction << shift
        } else {
            self.fraction >> -shift
        };
        let mut exponent = 0;
        let beyond = self.exponent - self.precision - 1;
        // Digits that 2^beyond has behind its first.
        let dropped = (f64::from(beyond.max(0)) * std::f64::consts::LOG10_2) as u32;
        if dropped > 0 {
            let unit = 10u64.pow(dropped);
            let rest = number % unit;
            number /= unit;
            exponent += dropped.cast_signed();
            if rest >= unit / 2 {
                number += 1;
            }
        }
        while number > 0 && number.is_multiple_of(10) {
            number /= 10;
            exponent += 1;
        }
        let digits: Vec<u8> = number.to_string().bytes().map(|byte| byte - b'0').collect();
        let exponent = exponent + i32::try_from(digits.len()).unwrap_or_default();
        JavaDigits { digits, exponent }
    }

    /// Digit after digit of `number / unit`, until what is left is within half the distance of a neighbour.
    fn shortened_digits(self, bits: i32, behind: i32) -> JavaDigits {
        let mut exponent = self.estimated_exponent();
        let fives = (-exponent).max(0);
        let unit_fives = exponent.max(0);
        let mut twos = fives + behind + self.exponent;
        let mut unit_twos = unit_fives + behind;
        let mut margin_twos = twos - self.precision;
        twos -= bits - 1;
        let common = twos.min(unit_twos);
        twos -= common;
        unit_twos -= common;
        margin_twos -= common;
        // The neighbour below a power of two is half as far; both are taken to be.
        if bits == 1 {
            margin_twos -= 1;
        }
        if margin_twos < 0 {
            twos -= margin_twos;
            unit_twos -= margin_twos;
            margin_twos = 0;
        }
        let length = |fives: i32| {
            BITS_OF_FIVES
                .get(fives as usize)
                .map_or(fives * 3, |bits| *bits)
        };
        let longest = (bits + twos + length(fives)).max(unit_twos + 1 + length(unit_fives + 1));

        let fraction = self.fraction >> self.fraction.trailing_zeros();
        let mut number = Big::of(fraction).times_fives(fives).times_twos(twos);
        let unit = Big::of(1).times_fives(unit_fives).times_twos(unit_twos);
        let mut margin = Big::of(1).times_fives(fives).times_twos(margin_twos);
        let tens = unit.clone().times(10);
        let ends = |number: &Big, margin: &Big| match longest {
            ..32 => number.ends_in_int(margin, &tens),
            32..64 => number.ends_in_long(margin, &tens),
            _ => (
                number.cmp(margin) == Ordering::Less,
                number.clone().plus(margin).cmp(&tens) != Ordering::Less,
            ),
        };

        let mut digits = Vec::new();
        let digit = number.take_digit(&unit);
        number = number.times(10);
        margin = margin.times(10);
        let (mut low, mut high) = ends(&number, &margin);
        if digit == 0 && !high {
            exponent -= 1;
        } else {
            digits.push(digit);
        }
        // With an exponent there are two digits at least.
        if !(-3..8).contains(&exponent) {
            (low, high) = (false, false);
        }
        while !low && !high {
            digits.push(number.take_digit(&unit));
            number = number.times(10);
            margin = margin.times(10);
            (low, high) = ends(&number, &margin);
        }
        let twice = match longest {
            ..32 => (number.int() << 1).wrapping_sub(tens.int()).cmp(&0),
            32..64 => (number.long() << 1).wrapping_sub(tens.long()).cmp(&0),
            _ => number.times(2).cmp(&tens),
        };
        exponent += 1;
        let rounds_up = high
            && (!low
                || match twice {
                    Ordering::Less => false,
                    Ordering::Equal => digits.last().is_some_and(|digit| digit % 2 == 1),
                    Ordering::Greater => true,
                });
        if rounds_up {
            exponent += round_up(&mut digits);
        }
        JavaDigits { digits, exponent }
    }

    /// Of `d.ddd * 10^exponent`: exact, or one too high.
    fn estimated_exponent(self) -> i32 {
        let mantissa = f64::from_bits(1023 << FRACTION_BITS | self.fraction & (FIRST_BIT - 1));
        // The tangent of the logarithm at 1.5, which is never below it.
        let logarithm = (mantissa - 1.5) * std::f64::consts::LOG10_E / 1.5
            + 1.5f64.log10()
            + f64::from(self.exponent) * std::f64::consts::LOG10_2;
        logarithm.floor() as i32
    }
}

/// Adds one to the last digit; answers whether the number has become a power of ten, the first digit being 1 again.
fn round_up(digits: &mut [u8]) -> i32 {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return 0;
        }
        *digit = 0;
    }
    if let Some(first) = digits.first_mut() {
        *first = 1;
    }
    1
}

/// How many bits `5^n` has.
const BITS_OF_FIVES: [i32; 27] = [
    0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56,
    59, 61,
];

/// A number of any length, its lowest 32 bits first, without zeros at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn of(number: u64) -> Self {
        Self(vec![number as u32, (number >> 32) as u32]).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn times(mut self, factor: u32) -> Self {
        let mut carry = 0;
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(factor) + carry;
            *part = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
        self
    }

    fn times_fives(mut self, count: i32) -> Self {
        for _ in 0..count {
            self = self.times(5);
        }
        self
    }

    fn times_twos(mut self, count: i32) -> Self {
        let count = count.max(0).unsigned_abs();
        self = self.times(1 << (count % 32));
        let mut parts = vec![0; (count / 32) as usize];
        parts.append(&mut self.0);
        Self(parts).trimmed()
    }

    fn plus(mut self, other: &Self) -> Self {
        let length = self.0.len().max(other.0.len());
        self.0.resize(length, 0);
        let mut carry = 0;
        for (at, part) in self.0.iter_mut().enumerate() {
            let sum = u64::from(*part) + u64::from(other.0.get(at).copied().unwrap_or(0)) + carry;
            *part = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
        self
    }

    /// Divides by a number of which this is less than ten times as much: the quotient, the rest stays.
    fn take_digit(&mut self, unit: &Self) -> u8 {
        let mut digit = 0;
        while self.cmp(unit) != Ordering::Less {
            let mut borrow = 0;
            for (at, part) in self.0.iter_mut().enumerate() {
                let taken = u64::from(unit.0.get(at).copied().unwrap_or(0)) + borrow;
                borrow = u64::from(u64::from(*part) < taken);
                *part = (u64::from(*part) + (borrow << 32) - taken) as u32;
            }
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
            digit += 1;
        }
        digit
    }

    /// The lowest 64 bits, as Java's `long`, which overflows.
    fn long(&self) -> i64 {
        let part = |at: usize| u64::from(self.0.get(at).copied().unwrap_or(0));
        (part(1) << 32 | part(0)).cast_signed()
    }

    fn int(&self) -> i32 {
        self.long() as i32
    }

    /// Whether what is left is nearer to the number below or above than `margin`, in Java's `long`.
    fn ends_in_long(&self, margin: &Self, tens: &Self) -> (bool, bool) {
        let (number, margin) = (self.long(), margin.long());
        if margin <= 0 {
            return (true, true);
        }
        (number < margin, number.wrapping_add(margin) > tens.long())
    }

    /// The same in Java's `int`.
    fn ends_in_int(&self, margin: &Self, tens: &Self) -> (bool, bool) {
        let (number, margin) = (self.int(), margin.int());
        if margin <= 0 {
            return (true, true);
        }
        (number < margin, number.wrapping_add(margin) > tens.int())
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}
