// Replays inputs: replay FORMAT FILE... Any compiler builds it; the sanitizers judge.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/target.hpp"

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "usage: replay FORMAT FILE...\n");
        return 2;
    }
    for (int word = 2; word < count; ++word) {
        std::ifstream file(words[word], std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "%s cannot be read\n", words[word]);
            return 2;
        }
        const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        // Memory of its own and of exactly this size, so that a byte too far is seen.
        const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
        pbf::fuzz::run(words[1], exact.data(), exact.size());
    }
    std::printf("%d inputs replayed\n", count - 2);
    return 0;
}
