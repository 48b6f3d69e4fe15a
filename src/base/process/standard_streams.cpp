// SPDX-License-Identifier: Apache-2.0
#include "base/process/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace zt::process {

// open() takes the lowest number that is free.
void open_missing_streams() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd >= 0) ::close(fd);
}

}  // namespace zt::process
