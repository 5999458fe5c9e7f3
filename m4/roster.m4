# roster.m4: how configure looks for compiler flags and libraries.

# ROSTER_COMPILER_FLAG(VARIABLE, FLAG, [IF NOT TAKEN])
# Adds FLAG to VARIABLE where the compiler and the linker take it together with CFLAGS, which don't have it yet. -Werror
# turns a warning about the flag (glibc's about _FORTIFY_SOURCE without optimisation) into a refusal.
AC_DEFUN([ROSTER_COMPILER_FLAG], [
    AC_MSG_CHECKING([whether the compiler takes $2])
    roster_saved_cflags="$CFLAGS"
    CFLAGS="$CFLAGS $2 -Werror"
    AS_CASE([" $CPPFLAGS $roster_saved_cflags "],
        [*" $2 "*], [AC_MSG_RESULT([it is given])],
        [AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdlib.h>]], [[return (int)strtol("0", NULL, 10);]])],
            [AC_MSG_RESULT([yes])
             $1="$$1 $2"
             CFLAGS="$roster_saved_cflags"],
            [AC_MSG_RESULT([no])
             CFLAGS="$roster_saved_cflags"
             $3])])
    CFLAGS="$roster_saved_cflags"
])

# ROSTER_FORTIFY(VARIABLE)
# Adds the highest level of _FORTIFY_SOURCE that compiler and C library have, where CFLAGS and CPPFLAGS name none.
AC_DEFUN([ROSTER_FORTIFY], [
    AS_CASE([" $CPPFLAGS $CFLAGS "],
        [*_FORTIFY_SOURCE*], [AC_MSG_NOTICE([_FORTIFY_SOURCE is given])],
        [ROSTER_COMPILER_FLAG([$1], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3],
            [ROSTER_COMPILER_FLAG([$1], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2])])])
])

# ROSTER_LINKER_FLAG(VARIABLE, FLAG)
# The same for a flag of the linker.
AC_DEFUN([ROSTER_LINKER_FLAG], [
    AC_MSG_CHECKING([whether the linker takes $2])
    roster_saved_ldflags="$LDFLAGS"
    LDFLAGS="$LDFLAGS $2"
    AS_CASE([" $roster_saved_ldflags "],
        [*" $2 "*], [AC_MSG_RESULT([it is given])],
        [AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
            [AC_MSG_RESULT([yes])
             $1="$$1 $2"],
            [AC_MSG_RESULT([no])])])
    LDFLAGS="$roster_saved_ldflags"
])

# ROSTER_MODULE(VARIABLE, PKG-CONFIG MODULE, DEBIAN PACKAGE)
# A library that is needed and that pkg-config knows. The message names the package to install.
AC_DEFUN([ROSTER_MODULE], [
    PKG_CHECK_MODULES([$1], [$2], [],
        [AC_MSG_ERROR([$2 was not found: install $3])])
])

# ROSTER_PLAIN_LIBRARY(VARIABLE, PKG-CONFIG MODULE, HEADER, LIBRARY, FUNCTION, DEBIAN PACKAGE)
# A library that is needed and that pkg-config may not know.
AC_DEFUN([ROSTER_PLAIN_LIBRARY], [
    PKG_CHECK_MODULES([$1], [$2], [], [
        AC_CHECK_HEADER([$3], [], [AC_MSG_ERROR([lib$4 was not found ($3 is missing): install $6])])
        AC_CHECK_LIB([$4], [$5], [$1_LIBS=-l$4],
            [AC_MSG_ERROR([lib$4 was not found (it has no $5): install $6])])
    ])
])

# ROSTER_RUNTIME_LIBRARY(VARIABLE, LIBRARY, FILE, FUNCTION)
# Links FILE, the name under which a library is there at run time, in place of -lLIBRARY where that works. Debian 13 builds
# libscrypt without a SONAME: with -lscrypt a program would then look for libscrypt.so, which only the -dev package has.
AC_DEFUN([ROSTER_RUNTIME_LIBRARY], [
    AC_MSG_CHECKING([whether $2 can be linked as $3])
    roster_saved_libs="$LIBS"
    LIBS="-l:$3 $LIBS"
    AC_LINK_IFELSE([AC_LANG_CALL([], [$4])],
        [AC_MSG_RESULT([yes])
         AS_CASE([" $$1_LIBS "],
            [*" -l$2 "*], [$1_LIBS=`AS_ECHO([" $$1_LIBS "]) | sed 's| -l$2 | -l:$3 |; s|^ *||; s| *$||'`],
            [$1_LIBS="-l:$3"])],
        [AC_MSG_RESULT([no])])
    LIBS="$roster_saved_libs"
])
