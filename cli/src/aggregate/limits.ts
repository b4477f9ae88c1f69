/** `adapter_config.json`: 8,192 modules in `target_modules` and both patterns, with names of ~60 bytes, are 1.5 MB. */
export const CONFIG_BYTES_MAX = 4 << 20;
/** More threads than any machine in use has cores are a mistake. */
export const THREADS_MAX = 1_024;
/** Adapters that are read side by side: hides the time that opening a file takes, and keeps all open files far below any limit. */
export const READS_AT_ONCE_MAX = 32;
/** At either end of an adapter's data, by which adapters are told apart: trained weights differ there, and of a thousand adapters they are 125 MiB. */
export const ENDS_BYTES = 64 << 10;
/** Read at once while a whole file is digested: large enough that the disk and not the call is what takes time. */
export const READ_BYTES = 1 << 20;
