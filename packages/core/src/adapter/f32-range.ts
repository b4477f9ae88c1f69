/** The largest finite f32. */
export const F32_MAX = (2 - 2 ** -23) * 2 ** 127;
/** The smallest f32 that has all its 24 digits. */
export const F32_NORMAL_MIN = 2 ** -126;
