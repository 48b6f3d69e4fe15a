// SPDX-License-Identifier: Apache-2.0
// Upper ends of ranges whose numbers have no natural one: far beyond any use, and so small that sums and
// products of a few of them fit 64 bits. What such sizes would take is refused by the checks of memory and
// disk, with the arithmetic; a range only keeps that arithmetic true.
#pragma once

namespace zt::config {

inline constexpr double kMaxChannels = 65536;  ///< also heads, groups and widths, which divide channels
inline constexpr double kMaxLayers = 1024;
inline constexpr double kMaxLevels = 64;
inline constexpr double kMaxSteps = 1e9;
inline constexpr double kMaxClips = 1e6;          ///< also samples and pictures looked at
inline constexpr double kMaxFrames = 1e9;         ///< of a video: a year of it
inline constexpr double kMaxWindowFrames = 4096;  ///< that networks see at once
inline constexpr double kMaxKept = kMaxSteps;     ///< checkpoints: all of them
inline constexpr double kMaxMemoryMib = 1 << 20;  ///< 1 TiB
inline constexpr double kMaxDiskMib = 1 << 30;    ///< 1 PiB
inline constexpr double kMaxSide = 65536;         ///< of a picture, in pixels

}  // namespace zt::config
