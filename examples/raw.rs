use onepoll::http::*;
struct Hello;
impl Service for Hello {
    fn begin(&mut self, mut exchange: Box<Exchange>) -> Step {
        exchange.response =
            Response::new(Status::OK).content(ContentType::TEXT, Body::Static(b"Hello, World!"));
        Step::Respond(exchange)
    }
    fn resume(&mut self, exchange: Box<Exchange>) -> Step {
        Step::Respond(exchange)
    }
    fn observes(&self, _: &Exchange) -> bool {
        false
    }
}
fn main() {
    let port: u16 =
        std::env::args().skip_while(|a| a != "--port").nth(1).map_or(8080, |p| p.parse().unwrap());
    onepoll::Server::bind(("127.0.0.1", port)).unwrap().run(Hello).unwrap();
}
