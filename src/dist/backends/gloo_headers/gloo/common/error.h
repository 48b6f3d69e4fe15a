// SPDX-License-Identifier: Apache-2.0
// See README.md in this folder's parent: nothing of this header is used.
#pragma once
