dnl AX_SLUICE_FLAG([FLAG]): appends FLAG to SLUICE_CFLAGS where the compiler takes it.
AC_DEFUN([AX_SLUICE_FLAG], [
  AC_MSG_CHECKING([whether $CC accepts $1])
  sluice_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])
     SLUICE_CFLAGS="$SLUICE_CFLAGS $1"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$sluice_save_CFLAGS
  AC_SUBST([SLUICE_CFLAGS])])

dnl AX_SLUICE_SANITIZERS: --enable-sanitizers=LIST, --enable-werror, and the warnings that the house keeps.
AC_DEFUN([AX_SLUICE_SANITIZERS], [
  m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
                        -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough
                        -Wno-missing-field-initializers -Wno-unused-parameter -fno-strict-aliasing -fno-common],
               [AX_SLUICE_FLAG(flag)])
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])],
                [AS_IF([test "$enableval" = yes], [SLUICE_CFLAGS="$SLUICE_CFLAGS -Werror"])])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with these sanitizers: address,undefined or thread])],
    [AS_CASE([$enableval],
       [no], [],
       [yes], [AC_MSG_ERROR([--enable-sanitizers needs a list, such as address,undefined])],
       [SLUICE_CFLAGS="$SLUICE_CFLAGS -fsanitize=$enableval -fno-omit-frame-pointer"
        SLUICE_LDFLAGS="-fsanitize=$enableval"
        sluice_sanitizers=$enableval])])
  AM_CONDITIONAL([SANITIZED], [test -n "$sluice_sanitizers"])
  AC_SUBST([SLUICE_LDFLAGS])])

dnl AX_SLUICE_FUZZERS: --enable-fuzzers instruments everything for clang's libFuzzer and links the fuzzers with it.
AC_DEFUN([AX_SLUICE_FUZZERS], [
  AC_ARG_ENABLE([fuzzers],
    [AS_HELP_STRING([--enable-fuzzers], [build for `make fuzzers': needs CC=clang; with AddressSanitizer and UBSan])],
    [], [enable_fuzzers=no])
  AS_IF([test "$enable_fuzzers" = yes],
    [FUZZ_ENGINE=-fsanitize=fuzzer
     AX_SLUICE_FLAG([-fsanitize=fuzzer-no-link,address,undefined])
     AS_CASE(["$SLUICE_CFLAGS"],
       [*fuzzer-no-link*], [],
       [AC_MSG_ERROR([--enable-fuzzers needs clang with libFuzzer: configure CC=clang])])
     SLUICE_CFLAGS="$SLUICE_CFLAGS -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
     SLUICE_LDFLAGS="$SLUICE_LDFLAGS -fsanitize=address,undefined"])
  AM_CONDITIONAL([FUZZERS], [test "$enable_fuzzers" = yes])
  AC_SUBST([FUZZ_ENGINE])])
