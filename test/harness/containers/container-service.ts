import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers';
import { freePort } from '../../../cli/src/backing/free-ports.ts';
import { awaitAnswer } from './await-answer.ts';
import type { BackingService, ServiceRecipe } from './backing-service.ts';

const START_TRIES = 3;

/** Runs the server in a container. Its port on this machine is fixed from the start, so that it survives a restart. */
export async function startContainer(recipe: ServiceRecipe): Promise<BackingService> {
  // The tests stop what they start, so the container that would clean up after them need not be pulled.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const runtime = await getContainerRuntimeClient();
  const { started, port } = await startOnFreePort(recipe);
  const container = runtime.container.getById(started.getId());
  const isRunning = async (): Promise<boolean> => (await container.inspect()).State.Running;

  const stop = async (): Promise<void> => {
    if (await isRunning()) await container.kill();
    await container.remove({ v: true, force: true });
  };
  try {
    await awaitAnswer(recipe, port);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    directory: null,
    async kill(signal = 'SIGKILL') {
      await container.kill({ signal });
      await container.wait();
    },
    async pause() {
      await container.pause();
    },
    async resume() {
      await container.unpause();
    },
    async restart() {
      await container.start();
      await awaitAnswer(recipe, port);
    },
    stop,
  };
}

async function startOnFreePort(recipe: ServiceRecipe): Promise<{ started: StartedTestContainer; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      const started = await new GenericContainer(recipe.image)
        .withExposedPorts({ container: recipe.containerPort, host: port })
        .withEnvironment({ ...recipe.environment })
        .withCommand([...recipe.containerCommand])
        .start();
      return { started, port };
    } catch (error) {
      // Another process may have taken the port in between.
      const taken = error instanceof Error && /port is already allocated|address already in use/i.test(error.message);
      if (!taken || attempt === START_TRIES) throw error;
    }
  }
}
