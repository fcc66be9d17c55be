//! MD5 compression (RFC 1321, section 3.4) of many messages side by side.
//!
//! MD5 is one long chain of dependent steps: a core that hashes one message waits most of the time, and a core that
//! hashes one message in each lane of its vector registers hashes them all in the same time. The loops are written
//! so that LLVM makes vector code of them for whatever instruction set a function is compiled for. Two shapes
//! matter, and both cost a factor when they are lost:
//! - All 64 steps stand inside one loop over the lanes. A loop over the lanes inside each step is unrolled before it
//!   is vectorised, and then never is.
//! - Two independent groups of lanes go through the steps in turn, which hides the waiting.
//!
//! Knows nothing of padding, lengths, frames or threads.

use std::array::from_fn;

/// The four words of a message in progress.
pub(super) type State = [u32; 4];
/// What MD5 eats at a time.
pub(super) type Block = [u8; BLOCK];

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// The state of a message of which nothing was read.
pub(super) const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
/// Most messages that any kernel takes at once.
pub(super) const MOST_LANES: usize = 32;

/// The best code that this processor can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel(Isa);

/// Private, so that only [`Kernel::available`] can claim that the processor has an instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isa {
    /// What the target has always: SSE2, NEON. 2 × 4 lanes.
    Portable,
    /// 2 × 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 2 × 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The widest kernel that this processor runs.
    pub(super) fn best() -> Self {
        Self::available().into_iter().next_back().unwrap_or(Self(Isa::Portable))
    }

    /// All kernels that this processor runs, narrow ones first.
    pub(super) fn available() -> Vec<Self> {
        let mut all = vec![Self(Isa::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self(Isa::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
            {
                all.push(Self(Isa::Avx512));
            }
        }
        all
    }

    /// How many messages fill the lanes.
    pub(super) fn lanes(self) -> usize {
        match self.0 {
            Isa::Portable => 8,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => 16,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 32,
        }
    }

    /// Up to so many messages go two by two through scalar registers: all lanes together take as long as
    /// 1.7 (AVX-512) to 2.3 such pairs.
    pub(super) fn scalar_up_to(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 2,
            _ => 4,
        }
    }

    /// Feeds `messages[i]` to `states[i]`, from each as many blocks as the shortest has; returns that number.
    /// Takes at most [`Kernel::lanes`] messages at once.
    pub(super) fn compress(self, states: &mut [State], messages: &[&[Block]]) -> usize {
        debug_assert!(states.len() == messages.len() && states.len() <= self.lanes());
        let blocks = messages.iter().map(|m| m.len()).min().unwrap_or(0);
        if states.len() <= self.scalar_up_to() {
            let pairs = states.chunks_mut(2).zip(messages.chunks(2));
            for pair in pairs {
                match pair {
                    ([a, b], [x, y]) => {
                        [[*a], [*b]] = two_groups([[*a], [*b]], [[&x[..blocks]], [&y[..blocks]]]);
                    }
                    ([a], [x]) => compress_one(a, &x[..blocks]),
                    _ => {}
                }
            }
            return blocks;
        }
        match self.0 {
            Isa::Portable => padded(portable, states, messages, blocks),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => padded(
                #[expect(unsafe_code, reason = "available() has seen that the processor has AVX2")]
                |states, messages| unsafe { avx2(states, messages) },
                states,
                messages,
                blocks,
            ),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => padded(
                #[expect(unsafe_code, reason = "available() has seen that the processor has AVX-512")]
                |states, messages| unsafe { avx512(states, messages) },
                states,
                messages,
                blocks,
            ),
        }
        blocks
    }
}

/// Feeds one message.
pub(super) fn compress_one(state: &mut State, message: &[Block]) {
    [*state] = one_group([*state], [message]);
}

/// Fills the lanes that have no message with copies of the first one, and forgets what they say.
fn padded<const N: usize>(
    run: impl Fn([[State; N]; 2], [[&[Block]; N]; 2]) -> [[State; N]; 2],
    states: &mut [State],
    messages: &[&[Block]],
    blocks: usize,
) {
    let Some(first) = messages.first() else { return };
    let of = |lane: usize| &messages.get(lane).unwrap_or(first)[..blocks];
    let from = |lane: usize| states.get(lane).copied().unwrap_or(START);
    let done = run(
        from_fn(|group| from_fn(|lane| from(group * N + lane))),
        from_fn(|group| from_fn(|lane| of(group * N + lane))),
    );
    states.iter_mut().zip(done.as_flattened()).for_each(|(state, new)| *state = *new);
}

fn portable(states: [[State; 4]; 2], messages: [[&[Block]; 4]; 2]) -> [[State; 4]; 2] {
    two_groups(states, messages)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(states: [[State; 8]; 2], messages: [[&[Block]; 8]; 2]) -> [[State; 8]; 2] {
    two_groups(states, messages)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw")]
fn avx512(states: [[State; 16]; 2], messages: [[&[Block]; 16]; 2]) -> [[State; 16]; 2] {
    two_groups(states, messages)
}

/// The sixty-four steps, on each group in turn.
macro_rules! rounds {
    ($lane:ident; $($groups:tt)*) => {
        rounds!(@four $lane; (0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) ($($groups)*));
    };
    (@four $lane:ident; ($($i:literal)*) $groups:tt) => { $( rounds!(@each $lane; $i; $groups); )* };
    (@each $lane:ident; $i:literal; ($($w:ident $a:ident $b:ident $c:ident $d:ident);+)) => {
        $( step!($lane, 4 * $i, $w, $a $b $c $d); )+
        $( step!($lane, 4 * $i + 1, $w, $d $a $b $c); )+
        $( step!($lane, 4 * $i + 2, $w, $c $d $a $b); )+
        $( step!($lane, 4 * $i + 3, $w, $b $c $d $a); )+
    };
}

/// One step of RFC 1321. In the second round the two halves of G share no bit, so that they can be added one after
/// the other: one operation less on the chain.
macro_rules! step {
    ($lane:ident, $i:expr, $w:ident, $a:ident $b:ident $c:ident $d:ident) => {{
        const WORD: usize = word_of($i);
        let sum = $a.wrapping_add($w[WORD][$lane].wrapping_add(SINES[$i]));
        let sum = match $i / 16 {
            0 => sum.wrapping_add($d ^ ($b & ($c ^ $d))),
            1 => sum.wrapping_add($c & !$d).wrapping_add($b & $d),
            2 => sum.wrapping_add($b ^ $c ^ $d),
            _ => sum.wrapping_add($c ^ ($b | !$d)),
        };
        $a = $b.wrapping_add(sum.rotate_left(TURNS[$i / 16][$i % 4]));
    }};
}

/// The words of a group of messages: first all their first words, then all their second ones.
type Words<const N: usize, const COUNT: usize> = [[u32; N]; COUNT];

#[inline(always)]
fn one_group<const N: usize>(states: [State; N], messages: [&[Block]; N]) -> [State; N] {
    let mut s = gather(&states);
    for block in 0..shortest(&messages) {
        let w = load(&messages, block);
        let [sa, sb, sc, sd] = &mut s;
        for lane in 0..N {
            let (mut a, mut b, mut c, mut d) = (sa[lane], sb[lane], sc[lane], sd[lane]);
            rounds!(lane; w a b c d);
            add(lane, [sa, sb, sc, sd], [a, b, c, d]);
        }
    }
    scatter(&s)
}

#[inline(always)]
fn two_groups<const N: usize>(states: [[State; N]; 2], messages: [[&[Block]; N]; 2]) -> [[State; N]; 2] {
    let [mut s, mut t] = [gather(&states[0]), gather(&states[1])];
    let blocks = shortest(&messages[0]).min(shortest(&messages[1]));
    let messages = messages.map(|group| group.map(|message| &message[..blocks]));
    for block in 0..blocks {
        let (w, x) = (load(&messages[0], block), load(&messages[1], block));
        let ([sa, sb, sc, sd], [ta, tb, tc, td]) = (&mut s, &mut t);
        for lane in 0..N {
            let (mut a, mut b, mut c, mut d) = (sa[lane], sb[lane], sc[lane], sd[lane]);
            let (mut e, mut f, mut g, mut h) = (ta[lane], tb[lane], tc[lane], td[lane]);
            rounds!(lane; w a b c d; x e f g h);
            add(lane, [sa, sb, sc, sd], [a, b, c, d]);
            add(lane, [ta, tb, tc, td], [e, f, g, h]);
        }
    }
    [scatter(&s), scatter(&t)]
}

/// Which word of the block a step reads.
const fn word_of(step: usize) -> usize {
    match step / 16 {
        0 => step % 16,
        1 => (5 * step + 1) % 16,
        2 => (3 * step + 5) % 16,
        _ => (7 * step) % 16,
    }
}

/// How far each step turns the sum.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// ⌊2³² · |sin(step + 1)|⌋.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

#[inline(always)]
fn add<const N: usize>(lane: usize, states: [&mut [u32; N]; 4], sums: [u32; 4]) {
    for (state, sum) in states.into_iter().zip(sums) {
        state[lane] = state[lane].wrapping_add(sum);
    }
}

#[inline(always)]
fn shortest<const N: usize>(messages: &[&[Block]; N]) -> usize {
    messages.iter().map(|m| m.len()).min().unwrap_or(0)
}

#[inline(always)]
fn gather<const N: usize>(states: &[State; N]) -> Words<N, 4> {
    from_fn(|word| from_fn(|lane| states[lane][word]))
}

#[inline(always)]
fn scatter<const N: usize>(words: &Words<N, 4>) -> [State; N] {
    from_fn(|lane| from_fn(|word| words[word][lane]))
}

/// The words of one block of each message. Written lane after lane and then turned over by perfect shuffles, which
/// become vector instructions; single words stored one by one would have to leave the store buffer first.
#[inline(always)]
fn load<const N: usize>(messages: &[&[Block]; N], block: usize) -> Words<N, 16> {
    let mut words = [[0; N]; 16];
    let rows = words.as_flattened_mut().as_chunks_mut::<16>().0;
    for (row, message) in rows.iter_mut().zip(messages) {
        let bytes = message[block].as_chunks::<4>().0;
        for (word, bytes) in row.iter_mut().zip(bytes) {
            *word = u32::from_le_bytes(*bytes);
        }
    }
    for _ in 0..N.trailing_zeros() {
        words = shuffle(&words);
    }
    words
}

/// Deals the two halves of a deck into each other. In the position of a word, the top bit becomes the lowest: as
/// often as the lane's number has bits, and the lane's number has gone from the top of the position to its end.
#[inline(always)]
fn shuffle<const N: usize>(words: &Words<N, 16>) -> Words<N, 16> {
    let mut dealt = [[0; N]; 16];
    let (low, high) = words.as_flattened().split_at(8 * N);
    let pairs = dealt.as_flattened_mut().as_chunks_mut::<2>().0;
    for ((pair, a), b) in pairs.iter_mut().zip(low).zip(high) {
        *pair = [*a, *b];
    }
    dealt
}

#[cfg(test)]
mod tests;
