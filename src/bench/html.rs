//! stub
impl super::Report {
    /// stub
    pub fn html(&self) -> String {
        String::new()
    }
}
