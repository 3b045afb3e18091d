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
