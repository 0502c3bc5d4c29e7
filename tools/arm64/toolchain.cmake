# Builds for arm64 with Debian's cross compiler, against the tree of tools/arm64/root; the preset `arm64` uses it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(tree ${CMAKE_CURRENT_LIST_DIR}/../../build/arm64/root)
cmake_path(NORMAL_PATH tree)
set(CMAKE_FIND_ROOT_PATH ${tree} /usr/aarch64-linux-gnu) # the compiler's own libraries are in the second
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${tree})
set(ENV{PKG_CONFIG_LIBDIR} ${tree}/usr/lib/aarch64-linux-gnu/pkgconfig:${tree}/usr/share/pkgconfig)

# Headers of each architecture's own, as openssl/opensslconf.h, which lie where no compiler of another one looks.
set(CMAKE_C_FLAGS_INIT "-isystem ${tree}/usr/include/aarch64-linux-gnu")
set(CMAKE_CXX_FLAGS_INIT "-isystem ${tree}/usr/include/aarch64-linux-gnu")

# Libraries that libraries need.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${tree}/usr/lib/aarch64-linux-gnu:${tree}/lib/aarch64-linux-gnu")
# The virtual machine and user emulation have them where Debian has them.
set(CMAKE_SKIP_RPATH ON)

# How tests are run here.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${tree})
