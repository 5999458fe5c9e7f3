/* array.h: the size of an array. */
#ifndef ROSTER_BASE_ARRAY_H
#define ROSTER_BASE_ARRAY_H

/* The number of elements of an array, as a constant (size_t).
 * A pointer does not compile ("size of array is negative"), nor does an array that is a parameter of a function. */
#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array) + 0 * sizeof(char[1 - 2 * ARRAY_IS_POINTER(array)]))

/* An array has another type than the address of its first element. */
#define ARRAY_IS_POINTER(array) __builtin_types_compatible_p(typeof(array), typeof(&(array)[0]))

#endif
