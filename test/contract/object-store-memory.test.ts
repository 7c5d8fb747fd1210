// The memory store keeps the same contract as the real ones.

import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { objectStoreContract } from './object-store.suite.js';

objectStoreContract({ name: 'memory', open: async () => new MemoryObjectStore() });
