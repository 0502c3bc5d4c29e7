// Frames and errors survive JSON, and nothing else does.
#include "wire/source_json.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;

TEST(FramesJsonTest, FramesComeBackAndOddOnesAreRefused) {
  const std::vector<SourceFrames> frames = {{{"main.a", "/a.go", 3, true}, {"main.b", "/b.go", 4}},
                                            {}};
  const Json json = frames_to_json(frames);
  EXPECT_EQ(frames_from_json(json).value(), frames);
  for (const char *odd :
       {"1", "[1]", "[[1]]", R"([[["f","x",-1,false]]])", R"([[["f","x",1]]])",
        R"([[["f",1,1,false]]])", R"([[["f","x",4294967296,false]]])", R"([[["f","x",1,0]]])"})
    EXPECT_FALSE(frames_from_json(Json::parse(odd))) << odd;
  EXPECT_EQ(frames_from_json(Json::parse(R"([[["a\u001bb","x",1,false]]])")).value()[0][0].function,
            "a?b");
}

TEST(ErrorJsonTest, ErrorsKeepTheirCodeAndSentence) {
  const Error back = error_from_json(error_to_json(Error{Errc::denied, "no"}));
  EXPECT_EQ(back.code(), Errc::denied);
  EXPECT_EQ(back.message(), "no");
  EXPECT_EQ(error_from_json(Json::array({99, "no"})).code(), Errc::malformed);
  EXPECT_EQ(error_from_json(Json{}).code(), Errc::malformed);
}

} // namespace
} // namespace mapscope
