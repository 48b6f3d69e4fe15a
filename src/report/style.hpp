// SPDX-License-Identifier: Apache-2.0
// The one style sheet of report pages.
#pragma once

#include <string_view>

namespace zt::report {

inline constexpr std::string_view kStyle = R"css(
:root { --bg:#fbfaf8; --paper:#fff; --ink:#1d2430; --quiet:#687183; --rule:#e3e1dc; --accent:#b4461f;
  --line-0:#b4461f; --line-1:#2f6f8f; --line-2:#6a994e; --line-3:#c58b2a; --line-4:#7a4e9e; --line-5:#3a3f4b;
  --line-6:#c2577a; --line-7:#4aa3a2; }
@media (prefers-color-scheme: dark) { :root { --bg:#14171c; --paper:#1b2027; --ink:#e6e3dc; --quiet:#98a1b3; --rule:#2d343f;
  --accent:#ec8a5f; --line-0:#ec8a5f; --line-1:#7fb8d6; --line-2:#9ccc7f; --line-3:#e2b661; --line-4:#b593d8; --line-5:#b9bfcc;
  --line-6:#e58aa9; --line-7:#7fd1cf; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--bg); color:var(--ink); font:15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width:1180px; margin:0 auto; padding:32px 24px 64px; }
h1 { font-size:28px; margin:0 0 2px; letter-spacing:-.01em; }
h2 { font-size:18px; margin:40px 0 12px; padding-top:14px; border-top:1px solid var(--rule); }
.lead { color:var(--quiet); margin:0 0 20px; }
.charts { display:grid; grid-template-columns:repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap:16px; align-items:start; }
.clips { display:grid; grid-template-columns:repeat(auto-fill, minmax(min(260px, 100%), 1fr)); gap:16px; align-items:start; }
.wide { overflow-x:auto; }
figure { margin:0; background:var(--paper); border:1px solid var(--rule); border-radius:10px; padding:12px; }
figcaption { font-weight:600; margin-bottom:6px; } figcaption small { color:var(--quiet); font-weight:400; }
figure.media figcaption { font-weight:400; color:var(--quiet); font-size:13px; margin:8px 0 0; }
figure.media img, figure.media video { width:100%; image-rendering:pixelated; border-radius:6px; display:block; }
svg { width:100%; height:auto; display:block; } svg text { font-size:12px; fill:var(--quiet); }
.grid { stroke:var(--rule); } .line { fill:none; stroke-width:1.8; } .faint { fill:none; stroke-width:1; opacity:.3; }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:4px 14px; margin:8px 0 0; padding:0; font-size:13px; color:var(--quiet); }
.legend i { display:inline-block; width:10px; height:10px; border-radius:2px; margin-right:5px; } .legend b { color:var(--ink); }
dl { display:grid; grid-template-columns:repeat(auto-fit, minmax(150px, 1fr)); gap:14px 20px; margin:0; }
dl div { min-width:0; } dt { color:var(--quiet); font-size:12px; } dd { margin:0; font-weight:600; overflow-wrap:anywhere; }
table { border-collapse:collapse; width:100%; font-size:14px; background:var(--paper); border:1px solid var(--rule); }
th, td { text-align:left; padding:6px 12px; border-bottom:1px solid var(--rule); vertical-align:top; } th { color:var(--quiet); font-weight:500; }
.number { text-align:right; font-variant-numeric:tabular-nums; }
pre { background:var(--paper); border:1px solid var(--rule); border-radius:8px; padding:14px; overflow:auto; font-size:12.5px; line-height:1.45; }
.split { display:flex; height:22px; border-radius:6px; overflow:hidden; gap:2px; } .split i { min-width:1px; }
summary { cursor:pointer; color:var(--quiet); } .none { color:var(--quiet); }
.state { display:inline-block; padding:1px 10px; border-radius:99px; border:1px solid var(--accent); color:var(--accent); font-size:13px; vertical-align:middle; margin-left:10px; font-weight:500; }
)css";

}  // namespace zt::report
