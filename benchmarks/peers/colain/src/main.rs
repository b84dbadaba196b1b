//! Reads a binary CLI file of long commands to two columns of coordinates, as often as asked:
//! `colain-peer FILE ROUNDS` prints, per round, seconds, geometries, points, and the sum of x.

use colain::{clitype::LongCLI, CLI};
use std::time::Instant;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let rounds: usize = words[2].parse().expect("a number of rounds");
    for _ in 0..rounds {
        let began = Instant::now();
        let raw = std::fs::read(&words[1]).expect("the file");
        let model = CLI::<LongCLI>::new(&raw).expect("a CLI file of long commands");
        let (mut x, mut y) = (Vec::<f32>::new(), Vec::<f32>::new());
        let mut geometries = 0usize;
        for layer in model.iter() {
            for a_loop in layer.iter_loops() {
                geometries += 1;
                for pair in a_loop.points().chunks_exact(2) {
                    x.push(pair[0]);
                    y.push(pair[1]);
                }
            }
            for hatches in layer.iter_hatches() {
                geometries += 1;
                for pair in hatches.points().chunks_exact(2) {
                    x.push(pair[0]);
                    y.push(pair[1]);
                }
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let sum: f64 = x.iter().map(|&value| f64::from(value)).sum();
        println!("{seconds} {geometries} {} {sum}", y.len());
    }
}
