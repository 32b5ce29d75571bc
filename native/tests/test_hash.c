/* SHA-256 and XXH3: published vectors, every lane against the portable one, bad arguments. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sha256.h"
#include "xxh3.h"

#define SEED UINT64_C(0x9e3779b185ebca8d)
#define PORTABLE (UINT32_C(1) << SHIMHUB_LANE_PORTABLE)

static const struct {
    size_t size;
    uint64_t seed, hash64;
    shimhub_hash128 hash128;
} xxh3_vectors[] = {
    /* Of PyPI's xxhash 4.1.0 (xxHash 0.8.4), over the bytes of fill_random(). */
    {0, 0, 0x2d06800538d394c2, {0x6001c324468d497f, 0x99aa06d3014798d8}},
    {0, SEED, 0xa8a6b918b2f0364a, {0xa986dfc5d7605bfe, 0x00feaa732a3ce25e}},
    {1, 0, 0x56c67cd7bde2aa02, {0x56c67cd7bde2aa02, 0x958490fdfb25cf9e}},
    {1, SEED, 0x8211ad6a8dcb3015, {0x8211ad6a8dcb3015, 0xc407e6d7532ec709}},
    {2, 0, 0xaee7c4b10802e377, {0xaee7c4b10802e377, 0x91f5c12c26135f66}},
    {2, SEED, 0xac62bebd2f5b3764, {0xac62bebd2f5b3764, 0x5e99993f4e6a9afc}},
    {3, 0, 0x2661c3b4eb686624, {0x2661c3b4eb686624, 0x397f2fefea5a7396}},
    {3, SEED, 0xe7df882f5f9fa877, {0xe7df882f5f9fa877, 0xbb79a4f84c64a3f3}},
    {4, 0, 0x8418f1290c687215, {0xf2ee8cf0394a5f61, 0xc50d3857c99797b2}},
    {4, SEED, 0x034b5a68aaca83d7, {0x78fed4126b829339, 0xe5eb229b23fc637c}},
    {5, 0, 0x01782f29d6219e5c, {0x6731666877f8df40, 0x2a3e0bd38fa384c2}},
    {5, SEED, 0x00e490fe8e36a1b1, {0x4319b3b2a2011f48, 0x975872a6cb45fe09}},
    {8, 0, 0xc088d691b8a80c3d, {0xfce9da0cfbc073ba, 0xdc2a2a60f5e0211a}},
    {8, SEED, 0xa5d325afd3e20d1e, {0x0f40db486ccd61b2, 0x44efb48d5d3fc827}},
    {9, 0, 0xee9011aa95b7a390, {0x1598d09a885bb8ee, 0x102a55e8e8aabef5}},
    {9, SEED, 0xa6ddc9ef29be39c0, {0x9b2d4dde4c06f187, 0x44d742d19b334ac5}},
    {16, 0, 0x458cc36432214fe9, {0xf5731fc2bc5c4b92, 0xdabf73691f8fca43}},
    {16, SEED, 0x08b9bed3699af5cd, {0x8a395aa19ed9c4dc, 0xda753f3c7eae4e8d}},
    {17, 0, 0x311d1a6f10f3c746, {0xfb1313ac85253b5c, 0xa910b63b30fff4a8}},
    {17, SEED, 0x9e13af9611c0950b, {0x681faa09fa44226f, 0xaef0f232e0b6b186}},
    {32, 0, 0x0f24afcfc667dfc0, {0xdd9dc7a9ebdccf58, 0xa75cf3824c327ee1}},
    {32, SEED, 0xcf6499b0371143b9, {0x51482aa7d4621f72, 0x91bec0988e6a8c8b}},
    {33, 0, 0x3fc489d429f5b90b, {0x1d2432013b88686b, 0x2d90ace2effd0228}},
    {33, SEED, 0x53cf127513713302, {0xddd777332b137ca1, 0x997457032a4bfb35}},
    {64, 0, 0xc7be3b2721b898ee, {0x0fe2e780f30297cd, 0xe6ca3087929e900a}},
    {64, SEED, 0x75179148f74ccd85, {0x9824ab2dbcc84da5, 0x8b44f16dce546362}},
    {96, 0, 0xefef3e0d049bed43, {0x0cf3fecd7a6071cf, 0x82e4fc21ea8c3fce}},
    {96, SEED, 0x6c74e12bbbb3970c, {0x627e003054bab54b, 0x7b7ecaf1a362fef2}},
    {97, 0, 0xa75b448115bce6e5, {0xa7b48ce215280a8b, 0xe42bcc5d7e899f09}},
    {97, SEED, 0xc9d0b2e9911cd57c, {0x8aba6b8a7670b0b6, 0xf50e0401db9da096}},
    {128, 0, 0x5a6601b18d10bea9, {0x6f3dc285514b2265, 0x3831d9fda6a906dd}},
    {128, SEED, 0xdd3185533984fa1a, {0x893d734360f15ff9, 0xd7fd64c942156dfc}},
    {129, 0, 0xebc4b006e214cf2c, {0x3a53b1151b5be20d, 0xe3c54f9fb53b6cb3}},
    {129, SEED, 0x5b82de5235865b50, {0x3f5e4caa09ba4cd4, 0x68ec7c3840fee337}},
    {160, 0, 0x1237f8cea20979ee, {0x41bb48d66ea54d37, 0xd7bf274b2113cff4}},
    {160, SEED, 0x396556c785ba1076, {0x71bc0ebaa09c9be9, 0xe3c1a6708bab0ce4}},
    {176, 0, 0x31ff94db026ef94b, {0xfcc0b0d4a3aca7ac, 0x68364ca18a1b5279}},
    {176, SEED, 0x3da0e81a6e2b1a6d, {0x4c2099cbcd1fb7a1, 0x47f63ce5bf7e6e53}},
    {240, 0, 0x9a799c7fcb89a88b, {0x2ce28a724353804f, 0xdd8f73d41e68be94}},
    {240, SEED, 0x99ea081cbe81939b, {0x9233e71b3fcef9c5, 0xaa68c16849353e80}},
    {241, 0, 0xbdf9c48a218a7caa, {0xbdf9c48a218a7caa, 0xa30b955f32d542cc}},
    {241, SEED, 0x85764af08c8aa2d7, {0x85764af08c8aa2d7, 0xc2f0cca0186b966c}},
    {256, 0, 0x0c97abef91044e79, {0x0c97abef91044e79, 0xc346f28de7354115}},
    {256, SEED, 0x9dc9e75993508347, {0x9dc9e75993508347, 0x4e2e14761e9b47bd}},
    {512, 0, 0x68c783c914912e23, {0x68c783c914912e23, 0xfa980358c1da2f12}},
    {512, SEED, 0xfc9b6f746bdc65e1, {0xfc9b6f746bdc65e1, 0x6360bea4eac4f505}},
    {1023, 0, 0x7add0a3c2dce533b, {0x7add0a3c2dce533b, 0x01541e69863c004d}},
    {1023, SEED, 0xeeff162d3e0f7c14, {0xeeff162d3e0f7c14, 0x288b8b413fa54648}},
    {1024, 0, 0xfdbe210119b59175, {0xfdbe210119b59175, 0x305515c7a24577cc}},
    {1024, SEED, 0x5f4cab6bdb3a5186, {0x5f4cab6bdb3a5186, 0x370e1fb277295e2c}},
    {1025, 0, 0x00bcdd25b74c1bea, {0x00bcdd25b74c1bea, 0xd477885e3399b536}},
    {1025, SEED, 0x783f94e20c2c4b70, {0x783f94e20c2c4b70, 0x19abbb25ed59a69e}},
    {1088, 0, 0x0f99eb3e984e600a, {0x0f99eb3e984e600a, 0x9890859e05a8d61f}},
    {1088, SEED, 0xa4657e791cb82917, {0xa4657e791cb82917, 0x7a7bf28d6cfae99b}},
    {2048, 0, 0xd7554a280a6ad83d, {0xd7554a280a6ad83d, 0xc91ead2b786ba311}},
    {2048, SEED, 0x65cc083244ed7a8b, {0x65cc083244ed7a8b, 0x5c3ee825aaf2e07d}},
    {2049, 0, 0xf0c91e0500a61d22, {0xf0c91e0500a61d22, 0x089c32a09ef28eb4}},
    {2049, SEED, 0x5158e1fb4d0c4b72, {0x5158e1fb4d0c4b72, 0x2d207504bd74c8ac}},
    {4999, 0, 0xd83e8072dac35c37, {0xd83e8072dac35c37, 0xb608fb155d62d563}},
    {4999, SEED, 0xff8865ab71df282f, {0xff8865ab71df282f, 0x07cd4c516530fd28}},
};

static void fill_random(uint8_t *bytes, size_t size, uint64_t state)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next_random(&state);
}

/* Under AddressSanitizer a read behind the row is seen: the copy ends where the row does. */
static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    return copy;
}

static void xxh3_is_that_of_the_published_vectors(void)
{
    enum { SIZE = 5000 };
    uint8_t bytes[SIZE];
    fill_random(bytes, SIZE, 0);
    for (size_t i = 0; i < sizeof xxh3_vectors / sizeof *xxh3_vectors; i++) {
        uint8_t *copy = copy_of(bytes, xxh3_vectors[i].size);
        shimhub_bytes row = {copy, xxh3_vectors[i].size};
        shimhub_hash128 hash128;
        uint64_t hash64;
        CHECK(shimhub_xxh3_64(&row, 1, xxh3_vectors[i].seed, &hash64) == SHIMHUB_OK);
        CHECK(shimhub_xxh3_128(&row, 1, xxh3_vectors[i].seed, &hash128) == SHIMHUB_OK);
        CHECK(hash64 == xxh3_vectors[i].hash64);
        CHECK(memcmp(&hash128, &xxh3_vectors[i].hash128, sizeof hash128) == 0);
        free(copy);
    }
}

/* https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values */
static void sha256_is_that_of_fips_180(void)
{
    static const struct {
        const char *text;
        uint32_t digest[8];
    } vectors[] = {
        {"",
         {0xe3b0c442, 0x98fc1c14, 0x9afbf4c8, 0x996fb924, 0x27ae41e4, 0x649b934c, 0xa495991b,
          0x7852b855}},
        {"abc",
         {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61,
          0xf20015ad}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         {0x248d6a61, 0xd20638b8, 0xe5c02693, 0x0c3e6039, 0xa33ce459, 0x64ff2167, 0xf6ecedd4,
          0x19db06c1}},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
         "klmnopqrlmnopqrsmnopqrstnopqrstu",
         {0xcf5b16a7, 0x78af8380, 0x036ce59e, 0x7b049237, 0x0b249b11, 0xe8f07a51, 0xafac4503,
          0x7afee9d1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        shimhub_bytes row = {vectors[i].text, strlen(vectors[i].text)};
        uint8_t digest[SHA256_DIGEST], expected[SHA256_DIGEST];
        sha256_write(expected, vectors[i].digest);
        CHECK(shimhub_sha256(&row, 1, digest) == SHIMHUB_OK);
        CHECK(memcmp(expected, digest, sizeof digest) == 0);
    }
}

static void sha256_of_a_million_letters(void)
{
    static const uint32_t expected[8] = {0xcdc76e5c, 0x9914fb92, 0x81a1c7e2, 0x84d73e67,
                                         0xf1809a48, 0xa497200e, 0x046d39cc, 0xc7112cd0};
    enum { SIZE = 1000000, ROWS = 5 };
    uint8_t *letters = malloc(SIZE), digests[SHA256_DIGEST * ROWS], digest[SHA256_DIGEST];
    shimhub_bytes rows[ROWS];
    if (letters == NULL)
        abort();
    memset(letters, 'a', SIZE);
    sha256_write(digest, expected);
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = (shimhub_bytes){letters, SIZE};
    CHECK(shimhub_sha256(rows, ROWS, digests) == SHIMHUB_OK);
    for (size_t i = 0; i < ROWS; i++)
        CHECK(memcmp(digest, digests + SHA256_DIGEST * i, SHA256_DIGEST) == 0);
    free(letters);
}

enum { ROWS = 620 };

struct hashes {
    uint8_t sha256[SHA256_DIGEST * ROWS];
    uint64_t xxh3_64[ROWS];
    shimhub_hash128 xxh3_128[ROWS];
};

static void hash_all(const shimhub_bytes *rows, size_t count, struct hashes *hashes)
{
    memset(hashes, 0, sizeof *hashes);
    CHECK(shimhub_sha256(rows, count, hashes->sha256) == SHIMHUB_OK);
    CHECK(shimhub_xxh3_64(rows, count, SEED, hashes->xxh3_64) == SHIMHUB_OK);
    CHECK(shimhub_xxh3_128(rows, count, SEED, hashes->xxh3_128) == SHIMHUB_OK);
}

static void expect_those_of_the_portable_lane(const shimhub_bytes *rows, size_t count)
{
    static struct hashes hashes, expected;
    uint32_t before = shimhub_lanes();
    hash_all(rows, count, &hashes);
    shimhub_lanes_use(PORTABLE);
    hash_all(rows, count, &expected);
    shimhub_lanes_use(before);
    CHECK(memcmp(&expected, &hashes, sizeof hashes) == 0);
}

/* Lengths 0 to 600 and some large ones, in an order that keeps lanes apart. */
static void lanes_agree_on_rows_of_all_lengths(void)
{
    enum { LARGEST = 70000 };
    uint8_t *bytes = malloc(LARGEST), *copies[ROWS];
    shimhub_bytes rows[ROWS];
    uint64_t state = 1;
    if (bytes == NULL)
        abort();
    fill_random(bytes, LARGEST, 2);
    for (size_t i = 0; i < ROWS; i++) {
        size_t size = i <= 600 ? i * 211 % 601 : (size_t)(next_random(&state) % LARGEST);
        copies[i] = copy_of(bytes + next_random(&state) % (LARGEST - size), size);
        rows[i] = (shimhub_bytes){size ? copies[i] : NULL, size};
    }
    expect_those_of_the_portable_lane(rows, ROWS);
    for (size_t count = 0; count <= 40; count++)
        expect_those_of_the_portable_lane(rows + ROWS - count, count);
    for (size_t i = 0; i < ROWS; i++)
        free(copies[i]);
    free(bytes);
}

static void rows_may_lie_at_any_address(void)
{
    enum { OFFSETS = 64, SIZE = 1500 };
    uint8_t bytes[OFFSETS + SIZE];
    shimhub_bytes rows[OFFSETS];
    fill_random(bytes, sizeof bytes, 3);
    for (size_t i = 0; i < OFFSETS; i++)
        rows[i] = (shimhub_bytes){bytes + i, SIZE - 7 * i};
    expect_those_of_the_portable_lane(rows, OFFSETS);
}

static void bad_arguments_are_refused_and_nothing_is_written(void)
{
    uint8_t digests[2 * SHA256_DIGEST] = {0};
    uint64_t hash64[2] = {0};
    shimhub_hash128 hash128[2] = {{0, 0}, {0, 0}};
    const shimhub_bytes bad[2] = {{"a", 1}, {NULL, 1}}, huge = {"a", SIZE_MAX};
    CHECK(shimhub_sha256(bad, 2, digests) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_sha256(&huge, 1, digests) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_sha256(NULL, 1, digests) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_sha256(bad, 1, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_64(bad, 2, 0, hash64) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_64(NULL, 1, 0, hash64) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_64(bad, 1, 0, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_128(bad, 2, 0, hash128) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_128(NULL, 1, 0, hash128) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_xxh3_128(bad, 1, 0, NULL) == SHIMHUB_BAD_ARGUMENT);
    for (size_t i = 0; i < sizeof digests; i++)
        CHECK(digests[i] == 0);
    CHECK(hash64[0] == 0 && hash128[0].low == 0);
    CHECK(shimhub_sha256(NULL, 0, NULL) == SHIMHUB_OK);
    CHECK(shimhub_xxh3_64(NULL, 0, 0, NULL) == SHIMHUB_OK);
    CHECK(shimhub_xxh3_128(NULL, 0, 0, NULL) == SHIMHUB_OK);
}

void test_hash(void)
{
    xxh3_is_that_of_the_published_vectors();
    sha256_is_that_of_fips_180();
    sha256_of_a_million_letters();
    lanes_agree_on_rows_of_all_lengths();
    rows_may_lie_at_any_address();
    bad_arguments_are_refused_and_nothing_is_written();
}
